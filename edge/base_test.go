package edge

import (
	"net/http/httptest"
	"testing"
)

func TestBaseURL(t *testing.T) {
	const listening = "http://127.0.0.1:8000/files"
	for _, c := range []struct{ public, host, want string }{
		{"", "files.lan:8000", "http://files.lan:8000/files"},
		{"", "192.168.1.5", "http://192.168.1.5/files"},
		{"", "[::1]:8000", "http://[::1]:8000/files"},
		{"", "", listening},
		{"", ":8000", listening},
		{"", "user@files.lan", listening},
		{"", "files.lan/evil", listening},
		{"", "files.lan?x", listening},
		{"", "files.lan#x", listening},
		{"", "files lan", listening},
		{"", "a..b", listening},
		{"", "files.lan:99999", listening},
		{"https://files.example.org/f", "evil.example.org", "https://files.example.org/f"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = c.host
		if got := NewBaseURL(c.public, "http", "127.0.0.1:8000").Of(r); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = "files.lan:8443"
	if got := NewBaseURL("", "https", "127.0.0.1:8443").Of(r); got != "https://files.lan:8443/files" {
		t.Errorf("over TLS: %s", got)
	}
}
