package config

import (
	"cmp"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// Proxies are the HTTP proxies through which the service reaches the object store, webhooks, and the sources of
// imports. The backend and the issuers of tokens are reached without one.
type Proxies struct {
	HTTP, HTTPS string // URLs, which may hold passwords; empty: none
	Except      string // hosts that are reached without a proxy
}

// For returns the proxy for a URL, or nil.
func (p Proxies) For(u *url.URL) (*url.URL, error) {
	return (&httpproxy.Config{HTTPProxy: p.HTTP, HTTPSProxy: p.HTTPS, NoProxy: p.Except}).ProxyFunc()(u)
}

// process reads the standard proxy variables, as every Go program does.
func (r *reader) process(c *Config) {
	r.group = "The process"
	c.MemoryLimit = r.get("GOMEMLIMIT",
		"the limit of the Go heap, as the Go runtime reads it (such as `1GiB`); without it, the service sets "+
			"128 MiB and 50 KiB for each of `MAX_CONNECTIONS`; clients' bytes are not in that heap", "") != ""
	either := func(name, meaning string) string {
		upper, lower := r.get(name, meaning, ""), r.get(strings.ToLower(name), "another name for it", "")
		return cmp.Or(upper, lower)
	}
	c.Proxies = Proxies{
		HTTP: either("HTTP_PROXY", "the proxy for `http://` URLs of the object store, of webhooks, and of imported "+
			"files; the backend and `AUTH_JWKS_URL` are reached without one"),
		HTTPS:  either("HTTPS_PROXY", "the proxy for `https://` URLs"),
		Except: either("NO_PROXY", "hosts that are reached without a proxy, as a comma list; localhost always is"),
	}
}
