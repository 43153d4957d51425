package edge

import (
	"net/http"
	"net/url"

	"holdfast/config"
)

// BaseURL is the URL under which clients see the service's files, without a trailing slash.
type BaseURL struct {
	configured string // PUBLIC_URL; empty: not set
	scheme     string // of requests
	listening  string // derived from the address that the service listens on
}

// NewBaseURL returns the base URL for PUBLIC_URL, which may be empty, and for the address host:port at which the
// service is reached by scheme, http or https.
func NewBaseURL(public, scheme, address string) BaseURL {
	return BaseURL{public, scheme, scheme + "://" + address + "/files"}
}

// String returns the URL to use where there is no request: in the log, and on the API page.
func (b BaseURL) String() string {
	if b.configured != "" {
		return b.configured
	}
	return b.listening
}

// Of returns the URL to use in the answer to r. If PUBLIC_URL is not set, it follows the request's Host, so that
// clients on other machines can reach the URLs that they get. A client can forge Host, but only for its own answer:
// this URL must never be stored, cached or sent to another client.
func (b BaseURL) Of(r *http.Request) string {
	if b.configured != "" {
		return b.configured
	}
	if !config.ValidHost(r.Host) {
		return b.listening
	}
	return b.scheme + "://" + r.Host + b.Prefix()
}

// Prefix is the path of the URL, without a trailing slash.
func (b BaseURL) Prefix() string { return b.prefixes()[0] }

// prefixes returns the path prefixes under which the routes answer.
func (b BaseURL) prefixes() []string {
	if u, err := url.Parse(b.String()); err == nil && u.Path != "" {
		return []string{u.EscapedPath(), ""}
	}
	return []string{""}
}
