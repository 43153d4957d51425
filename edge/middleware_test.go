package edge

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"holdfast/config"
	"holdfast/problem"
)

// A handler that panics is answered like every other fault, with the headers that let a
// page read it; what is wrong is told the log alone.
func TestPanic(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(requestIDs{slog.NewTextHandler(&log, nil)})
	respond := problem.Responder{Log: logger}
	boom := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begun" {
			w.WriteHeader(200)
		}
		panic("the secret is out")
	})
	h := withRequestID(withLog(logger, nil, nil, withSecurityHeaders(true, crossOrigin(config.Config{AllowedOrigins: []string{"https://app.example.org"}}, "").Handler(recoverPanics(respond, boom)))))
	server := httptest.NewServer(h)
	defer server.Close()
	get := func(path string) (*http.Response, error) {
		r, err := http.NewRequest("GET", server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", "https://app.example.org")
		r.Header.Set("X-Request-ID", "id-1")
		return http.DefaultClient.Do(r)
	}
	res, err := get("/")
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	body.ReadFrom(res.Body)
	if res.StatusCode != 500 || body.String() != `{"code":"INFRA_005","message":"Internal server error"}` ||
		res.Header.Get("Access-Control-Allow-Origin") != "https://app.example.org" || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%d %s %v", res.StatusCode, &body, res.Header)
	}
	if res, err := get("/begun"); err == nil && res.Body.Close() == nil {
		if _, err := body.ReadFrom(res.Body); err == nil && res.ContentLength < 0 {
			t.Error("an answer that had begun seems whole")
		}
	}
	server.Close()
	if !strings.Contains(log.String(), "the secret is out") || !strings.Contains(log.String(), "request_id=id-1") || !strings.Contains(log.String(), "middleware_test.go") {
		t.Errorf("the log has no id or no stack:\n%s", &log)
	}
}
