package config

// Setting is one variable that the service reads, as it is documented.
type Setting struct {
	Group, Name string
	Default     string // as an operator would write it; empty: none
	Meaning     string // Markdown
}

// Settings lists all variables that Load reads, by groups. It is complete: a variable can only be read by
// documenting it.
func Settings() []Setting {
	r := reader{getenv: func(string) string { return "" }}
	r.load()
	return r.settings
}
