package config

import (
	"net"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// originScheme matches the schemes whose origins have a host: http and https, those of apps (capacitor, ionic,
// tauri) and of browser extensions.
var originScheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)

// Origin returns the origin of a URL as browsers write it (RFC 6454, 6.2; RFC 3986, 6.2.3): in lower case, without
// the scheme's default port, the path and anything after it; empty if the URL has no origin.
func Origin(u *url.URL) string {
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	if host == "" || !originScheme.MatchString(scheme) || scheme == "file" {
		return ""
	}
	if port == map[string]string{"http": "80", "https": "443"}[scheme] {
		port = ""
	}
	if port != "" {
		return scheme + "://" + net.JoinHostPort(host, port)
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return scheme + "://" + host
}

// origin reads an entry of ALLOWED_ORIGINS: "*", or a URL, of which only the origin is used. The first label of the
// host may be "*".
func (r *reader) origin(s string) string {
	const name = "ALLOWED_ORIGINS"
	if s == "*" {
		return s
	}
	u, err := url.Parse(s)
	if err != nil || u.User != nil || Origin(u) == "" {
		r.fault(name, "must be origins such as https://app.example.org or capacitor://localhost (null is none: any page "+
			"can have it)")
		return ""
	}
	o := Origin(u)
	host := strings.TrimPrefix(strings.ToLower(u.Hostname()), "*.")
	if strings.Contains(host, "*") {
		r.fault(name, "may have * for the first label of a host only, as in https://*.example.org")
		return ""
	}
	if host != strings.ToLower(u.Hostname()) && isPublicSuffix(host) {
		r.fault(name, "has *."+host+", under which anybody can register a name: list the hosts instead")
		return ""
	}
	if !ValidHost(strings.TrimPrefix(strings.ToLower(u.Host), "*.")) {
		r.fault(name, "must have valid hosts, as browsers send them: in ASCII (xn--...), with a port from 1 to 65535")
		return ""
	}
	return o
}

// isPublicSuffix reports whether anybody can register names under a host, as under "com" and "github.io". Names of
// local networks, such as "lan", are not in the list (publicsuffix.org).
func isPublicSuffix(host string) bool {
	suffix, managed := publicsuffix.PublicSuffix(host)
	return suffix == host && (managed || strings.Contains(suffix, "."))
}

// headerName matches the name of a header field (RFC 9110, 5.6.2).
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// allowedHeaders reads the request headers that pages of other origins may send.
func (r *reader) allowedHeaders() []string {
	const name = "ALLOWED_HEADERS"
	all := r.list(name, "request headers that pages of other origins may send, as a comma list; those that the service "+
		"or "+
		"tracing libraries use are always allowed")
	for _, header := range all {
		if !headerName.MatchString(header) {
			r.fault(name, "must be names of headers such as X-Tenant, separated by commas")
			break
		}
	}
	return all
}
