package edge

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"holdfast/config"
)

// Origins are recognized as browsers write them, however the setting was written.
func TestOrigins(t *testing.T) {
	for _, c := range []struct {
		allowed, base, page string
		may                 bool
	}{
		{"https://app.example.org/", "", "https://app.example.org", true},
		{"https://app.example.org/app/", "", "https://app.example.org", true},
		{"https://app.example.org:443", "", "https://app.example.org", true},
		{"http://app.example.org:80", "", "http://app.example.org", true},
		{"HTTPS://App.Example.org", "", "https://app.example.org", true},
		{"https://app.example.org:8443", "", "https://app.example.org", false},
		{"http://[::1]:8123", "", "http://[::1]:8123", true},
		{"https://*.example.org", "", "https://a.example.org", true},
		{"https://*.example.org", "", "https://a.example.com", false},
		{"capacitor://localhost", "", "capacitor://localhost", true},
		{"ionic://localhost", "", "ionic://localhost", true},
		{"tauri://localhost", "", "tauri://localhost", true},
		{"chrome-extension://abcdefghijklmnop", "", "chrome-extension://abcdefghijklmnop", true},
		{"moz-extension://1b2c3d4e-1234-4234-8234-123456789abc", "", "moz-extension://1b2c3d4e-1234-4234-8234-123456789abc",
			true},
		{"https://192.168.1.10:8443", "", "https://192.168.1.10:8443", true},
		{"https://*.lan", "", "https://app.lan", true},
		{"http://*.localhost:3000", "", "http://app.localhost:3000", true},
		{"*", "", "https://anybody.example.org", true},
		{"", "https://files.example.org:443/files", "https://files.example.org", true},
		{"", "http://[::1]:8123/files", "http://[::1]:8123", true},
		{"", "http://127.0.0.1:8000/files", "http://localhost:8000", true},
		{"", "http://127.0.0.1/files", "http://localhost", true},
		{"", "https://192.168.1.10/files", "https://192.168.1.10", true},
		{"", "https://files.example.org/files", "https://evil.example.org", false},
	} {
		settings, err := config.Load(allowing(c.allowed))
		if err != nil {
			t.Errorf("%s: %v", c.allowed, err)
			continue
		}
		o := newOrigins(settings, c.base)
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Origin", c.page)
		w := httptest.NewRecorder()
		o.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		says, credentials := w.Header().Get("Access-Control-Allow-Origin"), w.Header().Get("Access-Control-Allow-Credentials")
		if o.OriginAllowed(r) != c.may || (says != "") != c.may || (credentials != "") != (c.may && c.allowed != "*") ||
			c.may && c.allowed != "*" && says != c.page {
			t.Errorf("%+v: %v %q %q", c, o.OriginAllowed(r), says, credentials)
		}
	}
	for _, wrong := range []string{"null", "app.example.org", "file:///x", "https://a*.example.org", "https://*.*.org",
		"https://b\u00fccher.example", "https://u:p@example.org", "javascript:x",
		"https://*.com", "https://*.co.uk", "https://*.github.io", "https://*.10.0.0.5"} {
		if c, err := config.Load(allowing(wrong)); err == nil {
			t.Errorf("%q is taken for %q", wrong, c.AllowedOrigins)
		}
	}
}

// With "*", the pages of named origins can still send cookies; others can't.
func TestEverybodysOrigin(t *testing.T) {
	o := newOrigins(config.Config{AllowedOrigins: []string{"*", "https://app.example.org"}}, "")
	for page, want := range map[string][2]string{"https://app.example.org": {"https://app.example.org", "true"},
		"https://other.example.org": {"*", ""}} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Origin", page)
		w := httptest.NewRecorder()
		o.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		got := [2]string{w.Header().Get("Access-Control-Allow-Origin"), w.Header().Get("Access-Control-Allow-Credentials")}
		if got != want || !strings.Contains(strings.Join(w.Header().Values("Vary"), ","), "Origin") {
			t.Errorf("%s: %v", page, w.Header())
		}
	}
}

// A preflight may ask for its headers in any order and case, and for those that libraries add.
func TestPreflightLists(t *testing.T) {
	h := newOrigins(config.Config{AllowedOrigins: []string{"https://app.example.org"},
		AllowedHeaders: []string{"X-Tenant"}}, "").
		Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for list, may := range map[string]bool{
		"authorization,baggage,content-type,sentry-trace,tus-resumable,upload-offset": true,
		"tus-resumable,authorization,upload-offset,content-type":                      true,
		"Authorization, Content-Type, Tus-Resumable":                                  true,
		"upload-offset,upload-offset":                                                 true, "": true, "x-tenant": true,
		" , cache-control ,": true,
		"content-digest,content-disposition,repr-digest,upload-complete,upload-draft-interop-version,upload-incomplete," +
			"upload-length,upload-offset,want-repr-digest,x-http-method-override": true,
		"authorization,x-nobody-knows": false,
	} {
		r := httptest.NewRequest("OPTIONS", "/files/tus/x", nil)
		r.Header.Set("Origin", "https://app.example.org")
		r.Header.Set("Access-Control-Request-Method", "PATCH")
		r.Header.Set("Access-Control-Request-Headers", list)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("Access-Control-Allow-Origin"); (got != "") != may {
			t.Errorf("%q: %v", list, w.Header())
		}
	}
}

// allowing is an environment with ALLOWED_ORIGINS.
func allowing(origins string) func(string) string {
	return func(name string) string { return map[string]string{"ALLOWED_ORIGINS": origins}[name] }
}
