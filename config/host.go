package config

import (
	"net/netip"
	"strconv"
	"strings"
)

// Lengths of a host name, in bytes (RFC 1035, 2.3.4).
const (
	maxName  = 253
	maxLabel = 63
)

// ValidHost reports whether a text is the host of an http URL or a Host header: a name in ASCII, an IPv4 address or an
// IPv6 address in brackets, and optionally a port from 1 to 65535 (RFC 9110, 7.2; RFC 3986, 3.2.2). Names may contain
// "_", as those of containers do. It is the only place that decides this.
func ValidHost(s string) bool {
	host, port, hasPort := s, "", false
	if end := strings.LastIndexByte(s, ']'); strings.HasPrefix(s, "[") && end > 0 {
		if host, port = s[:end+1], s[end+1:]; port != "" {
			port, hasPort = strings.CutPrefix(port, ":")
			if !hasPort {
				return false
			}
		}
	} else {
		host, port, hasPort = strings.Cut(s, ":")
	}
	if hasPort && !validPort(port) {
		return false
	}
	if inside, ok := strings.CutPrefix(host, "["); ok {
		a, err := netip.ParseAddr(strings.TrimSuffix(inside, "]"))
		return err == nil && a.Is6() && a.Zone() == ""
	}
	return validName(host)
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// validName reports whether a text is an IPv4 address or a name. A name whose last label is a number is neither:
// browsers read it as an address.
func validName(s string) bool {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Is4()
	}
	s = strings.TrimSuffix(s, ".")
	if len(s) > maxName {
		return false
	}
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if !validLabel(label) {
			return false
		}
	}
	last := strings.ToLower(labels[len(labels)-1])
	return strings.Trim(last, "0123456789") != "" && !isHex(last)
}

// isHex reports whether a label is a number in hexadecimal notation.
func isHex(label string) bool {
	digits, ok := strings.CutPrefix(label, "0x")
	return ok && strings.Trim(digits, "0123456789abcdef") == ""
}

func validLabel(s string) bool {
	if s == "" || len(s) > maxLabel || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}
