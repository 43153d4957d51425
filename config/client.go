package config

import (
	"cmp"
	"path/filepath"
	"strings"
)

// Client has the settings of the commands that upload and download files.
type Client struct {
	URL     string // base URL of the service's files, without a trailing slash
	Token   string
	Uploads string // the folder where interrupted uploads are recorded
}

// LoadClient reads a client's settings by getenv. Values from the command line take precedence; an empty one is not
// given.
func LoadClient(getenv func(string) string, url, token string) (Client, error) {
	r := reader{getenv: func(name string) string {
		if name == "HOLDFAST_URL" && url != "" {
			return url
		}
		return getenv(name)
	}}
	c := Client{URL: "http://127.0.0.1:8000/files", Token: cmp.Or(token, r.get("HOLDFAST_TOKEN", "who you are", ""))}
	if u := r.httpURL("HOLDFAST_URL", "where the service's files are seen"); u != nil {
		if u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			r.fault("HOLDFAST_URL", "must be a plain URL, without user, query and fragment")
		}
		c.URL = strings.TrimRight(u.String(), "/")
	}
	if strings.ContainsFunc(c.Token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		r.fault("HOLDFAST_TOKEN", "must be plain ASCII without spaces")
	}
	// The folder follows the XDG Base Directory Specification.
	state := r.get("XDG_STATE_HOME", "where uploads that were interrupted are noted", "")
	if home := r.get("HOME", "the home folder", ""); state == "" && home != "" {
		state = filepath.Join(home, ".local", "state")
	}
	if state != "" {
		c.Uploads = filepath.Join(state, "holdfast", "uploads")
	}
	return c, r.err()
}
