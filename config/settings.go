package config

// Setting is one variable that the service reads, as it is documented.
type Setting struct {
	Group, Name string
	Default     string // as it would be written; empty: none
	Meaning     string // Markdown
}

// Settings are all that Load reads, by groups: it can't read one that is not told here.
func Settings() []Setting {
	r := reader{getenv: func(string) string { return "" }}
	r.load()
	return r.settings
}
