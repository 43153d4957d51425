package config

import (
	"net"
	"net/url"
	"strings"
	"testing"
)

func TestValidHost(t *testing.T) {
	label := strings.Repeat("a", 63)
	for _, s := range []string{
		"a", "localhost", "LOCALHOST:8000", "files.example.org", "files.example.org.", "files.example.org.:1", "a:65535",
		"file_service:8000", "xn--bcher-kva.example", "1.2.3.4", "1.2.3.4:80", "[::1]", "[2001:db8::1]:443", "3com.example",
		label, label + "." + label + "." + label + "." + strings.Repeat("b", 61), "123.example", "0xg", "a-b", "a:080",
	} {
		if !ValidHost(s) {
			t.Errorf("%q is a host", s)
		}
	}
	for _, s := range []string{
		"", ".", ":", ":80", "a:", "a:0", "a:65536", "a:99999", "a:-1", "a:+1", "a:1:2", "a:b", "a..b", ".a", "a..", "-a",
		"a-",
		"a.-b", "a.b-:80", label + "a", label + "." + label + "." + label + "." + strings.Repeat("b", 62), "a b", "a/b",
		"a?b",
		"a#b", "u@a", "a\\b", "a%2eb", "b\u00fccher.example", "a\x00", "a\n", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.04",
		"123",
		"a.123", "0x7f", "0x", "a.0x", "::1", "::1:80", "[::1", "::1]", "[::1]80", "[::1]:", "[::1]:0", "[1.2.3.4]", "[a]",
		"[]",
		"[fe80::1%eth0]", "[fe80::1%25eth0]", "[::1]]", "[[::1]]", "*", "*.example.org", "a,b", "a;b", "a\"b", "a<b",
	} {
		if ValidHost(s) {
			t.Errorf("%q is no host", s)
		}
	}
}

// A valid host stands in a URL as it is, and has no second reading.
func FuzzValidHost(f *testing.F) {
	for _, s := range []string{"a:1", "[::1]:80", "a..b", "a:99999", "1.2.3.4", "u@h", "h/p"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !ValidHost(s) {
			return
		}
		u, err := url.Parse("http://" + s + "/p?q")
		if err != nil || u.Host != s || u.User != nil || u.Path != "/p" || u.RawQuery != "q" || u.Hostname() == "" {
			t.Fatalf("%q: %+v %v", s, u, err)
		}
		if strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) {
			t.Fatalf("%q is not plain", s)
		}
		if port := u.Port(); port != "" {
			if _, err := net.ResolveTCPAddr("tcp", "127.0.0.1:"+port); err != nil {
				t.Fatalf("%q: %v", s, err)
			}
		}
	})
}

// No setting accepts a URL without a valid host.
func TestHostsOfSettings(t *testing.T) {
	for _, name := range []string{"PUBLIC_URL", "FASTAPI_BASE_URL", "FRONTEND_URL", "FORMS_URL", "ALLOWED_ORIGINS",
		"BACKEND_PRIVATE_URL", "DOWNLOAD_REDIRECT_ENDPOINT", "AUTH_JWKS_URL", "WEBHOOK_URL"} {
		for _, host := range []string{"a..b", "files.example.org:99999", "files.example.org:0", "-a", "1.2.3.4.5"} {
			_, err := Load(func(asked string) string {
				if asked == name {
					return "https://" + host
				}
				return ""
			})
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s with %s: %v", name, host, err)
			}
		}
	}
}

// HOST is checked before the program listens, and may have the brackets that an IPv6 address has in a URL.
func TestHostToListenOn(t *testing.T) {
	for host, want := range map[string]string{"": "127.0.0.1", " ": "127.0.0.1", "0.0.0.0": "0.0.0.0", "::": "::",
		"[::1]": "::1", "[::]": "::", "fe80::1%eth0": "fe80::1%eth0", "localhost": "localhost",
		"file-service": "file-service",
		"*":            "", "0.0.0.0:80": "", "[::1]:80": "", "localhost:80": "", "http://localhost": "", "a b": "",
		"::1]":  "",
		"127.1": "", "bücher.de": "", "256.0.0.1": ""} {
		c, err := Load(env("HOST=" + host))
		if want == "" && (err == nil || !strings.Contains(err.Error(), "HOST must be an address or a name")) ||
			want != "" && (err != nil || c.Host != want) {
			t.Errorf("%q: %q %v, want %q", host, c.Host, err, want)
		}
	}
}
