package service

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// Programs of operators are answered. Pages of other sites are not, neither under a host name of their own nor from
// their origin.
func TestForOperators(t *testing.T) {
	ask := func(profiles bool, path, host string, headers map[string]string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.Host = host
		for name, value := range headers {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		rejectForeignPages([]string{"holdfast"}, adminPages(profiles, prometheus.NewRegistry())).ServeHTTP(w, r)
		return w
	}
	for host, status := range map[string]int{"127.0.0.1:9464": 200, "[::1]:9464": 200, "localhost": 200,
		"Holdfast.:9464":   200,
		"evil.example.org": 421, "127.0.0.1.example.org": 421, "": 421} {
		if w := ask(false, "/metrics", host, nil); w.Code != status {
			t.Errorf("%q: %d, want %d", host, w.Code, status)
		}
	}
	for value, name := range map[string]string{"http://evil.example.org": "Origin", "cross-site": "Sec-Fetch-Site",
		"same-site": "Sec-Fetch-Site"} {
		if w := ask(false, "/metrics", "localhost", map[string]string{name: value}); w.Code != http.StatusForbidden {
			t.Errorf("%s %s: %d", name, value, w.Code)
		}
	}
	if off, on := ask(false, "/debug/pprof/cmdline", "localhost", nil).Code, ask(true, "/debug/pprof/cmdline", "localhost",
		nil).Code; off != 404 || on != 200 {
		t.Errorf("profiles: %d while they are off, %d while they are on", off, on)
	}
}
