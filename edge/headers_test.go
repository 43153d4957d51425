package edge

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"holdfast/config"
	"holdfast/problem"
)

var nothing = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// Every answer has these headers, whatever the handler does.
func TestSecurityHeaders(t *testing.T) {
	for _, hsts := range []bool{true, false} {
		w := httptest.NewRecorder()
		withSecurityHeaders(hsts, nothing).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		want := map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Content-Security-Policy":   "default-src 'none'; frame-ancestors 'none'",
			"Referrer-Policy":           "strict-origin-when-cross-origin",
			"Strict-Transport-Security": map[bool]string{true: "max-age=31536000; includeSubDomains"}[hsts]}
		for name, value := range want {
			if got := w.Header().Get(name); got != value {
				t.Errorf("%s is %q, not %q", name, got, value)
			}
		}
	}
}

// A page of another origin can neither read answers nor change anything, even if no origins are configured.
func TestForeignOrigins(t *testing.T) {
	for _, allowed := range [][]string{nil, {"https://app.example.org"}} {
		for _, base := range []string{"", "https://files.example.org/files"} {
			origins := newOrigins(config.Config{AllowedOrigins: allowed}, base)
			h := origins.Handler(rejectCrossOrigin(origins, problem.Responder{Log: slog.New(slog.DiscardHandler)}, nothing))
			for origin, own := range map[string]bool{"https://evil.example.org": false, "null": false,
				"https://files.example.org.evil.org": false,
				"http://files.example.org":           false, "https://files.example.org": base != "",
				"https://app.example.org": allowed != nil} {
				for method, changes := range map[string]bool{"GET": false, "HEAD": false, "POST": true, "PATCH": true,
					"DELETE": true} {
					r := httptest.NewRequest(method, "https://files.example.org/files/1", nil)
					r.Host = "inside" // behind a proxy
					r.Header.Set("Origin", origin)
					r.Header.Set("Sec-Fetch-Site", "cross-site")
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					if readable := w.Header().Get("Access-Control-Allow-Origin") == origin; readable != own {
						t.Errorf("%s of %q, allowed %q, base %q: its page can read: %v", method, origin, allowed, base, readable)
					}
					if refused := w.Code == http.StatusForbidden; refused != (changes && !own) {
						t.Errorf("%s of %q, allowed %q, base %q: %d", method, origin, allowed, base, w.Code)
					}
				}
			}
		}
	}
}

// A proxy may leave the port out of Host; a page over plain HTTP has no Sec-Fetch-Site that would help.
func TestOwnPageOnAPortThatAProxyHides(t *testing.T) {
	for _, c := range []struct {
		host, origin, site string
		may                bool
	}{
		{"files.lan", "http://files.lan:8080", "", true},
		{"Files.lan", "http://files.LAN:8080", "", true},
		{"files.lan:8080", "http://files.lan:8080", "", true},
		{"files.lan", "http://files.lan:8080", "same-site", false},
		{"files.lan", "http://files.lan:8080", "cross-site", false},
		{"files.lan", "https://files.lan:8443", "", false},
		{"files.lan:80", "http://files.lan:8080", "", false},
		{"files.lan", "http://evil.lan:8080", "", false},
		{"files.lan", "http://files.lan.evil.org:8080", "", false},
		{"files.lan", "http://files.lan:8080@evil.org", "", false},
		{"", "http://:8080", "", false},
		{"[::1]", "http://[::1]:8080", "", true},
		{"[::1]:8080", "http://[::1]:8080", "", true},
		{"[::1]", "http://[::2]:8080", "", false},
		// The port of the scheme, which browsers leave out.
		{"Files.lan:80", "http://files.lan", "", true},
		{"files.lan:443", "https://files.lan", "", true},
		{"[::1]:443", "https://[::1]", "", true},
		{"files.lan:", "http://files.lan", "", true},
		{"files.lan:443", "http://files.lan", "", false},
		{"files.lan:80", "https://files.lan", "", false},
		{"files.lan:443", "https://files.lan", "same-site", false},
		{"files.lan:443", "https://evil.lan", "", false},
		{"files.lan:443", "tauri://files.lan", "", false},
		{"files.lan", "null", "", false},
	} {
		origins := newOrigins(config.Config{}, "http://127.0.0.1:8000/files")
		h := rejectCrossOrigin(origins, problem.Responder{Log: slog.New(slog.DiscardHandler)}, nothing)
		r := httptest.NewRequest("POST", "/files/upload", nil)
		r.Host = c.host
		r.Header.Set("Origin", c.origin)
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if may := w.Code == http.StatusOK; may != c.may {
			t.Errorf("%+v: %d", c, w.Code)
		}
	}
}
