package config

import (
	"net"
	"net/url"
	"regexp"
	"strings"
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
	if !ValidHost(strings.TrimPrefix(strings.ToLower(u.Host), "*.")) {
		r.fault(name, "must have valid hosts, as browsers send them: in ASCII (xn--...), with a port from 1 to 65535")
		return ""
	}
	return o
}
