package edge

import (
	"net/http"
	"net/url"
)

// BaseURL is the URL under which clients see the service's files, without a trailing slash.
type BaseURL struct {
	configured string // PUBLIC_URL; empty: not set
	listening  string // by the address that the service listens on
}

// NewBaseURL returns the base URL for PUBLIC_URL, which may be empty, and for the address host:port.
func NewBaseURL(public, address string) BaseURL {
	return BaseURL{public, "http://" + address + "/files"}
}

// String is the URL where no request says more: in the log, and on the page of the API.
func (b BaseURL) String() string {
	if b.configured != "" {
		return b.configured
	}
	return b.listening
}

// Of returns the URL for the answer to r. Where PUBLIC_URL is not set it follows the request's Host, so that clients
// of other machines can reach what they are sent to. A Host can be forged, but only for one's own answer: this URL
// must never be stored, cached or sent to anybody else.
func (b BaseURL) Of(r *http.Request) string {
	if b.configured != "" {
		return b.configured
	}
	u, err := url.Parse("http://" + r.Host)
	if err != nil || u.Host == "" || u.Host != r.Host || u.Hostname() == "" {
		return b.listening
	}
	return "http://" + u.Host + b.Prefix()
}

// Prefix is the path of the URL, without a trailing slash.
func (b BaseURL) Prefix() string { return b.prefixes()[0] }

// prefixes are the prefixes of paths that the routes answer under.
func (b BaseURL) prefixes() []string {
	if u, err := url.Parse(b.String()); err == nil && u.Path != "" {
		return []string{u.EscapedPath(), ""}
	}
	return []string{""}
}
