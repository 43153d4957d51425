package edge

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"holdfast/config"
	"holdfast/limit"
	"holdfast/problem"
)

// A handler that panics is answered like every other error, with the headers that let a page read it. Only the log
// says what is wrong.
func TestPanic(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(requestIDHandler{slog.NewTextHandler(&log, nil)})
	respond := problem.Responder{Log: logger}
	boom := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begun" {
			w.WriteHeader(200)
		}
		panic("the secret is out")
	})
	h := withRequestID(withLog(logger, nil, nil, withSecurityHeaders(true,
		newOrigins(config.Config{AllowedOrigins: []string{"https://app.example.org"}}, "").Handler(recoverPanics(respond,
			boom)))))
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
		res.Header.Get("Access-Control-Allow-Origin") != "https://app.example.org" ||
		res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%d %s %v", res.StatusCode, &body, res.Header)
	}
	if res, err := get("/begun"); err == nil && res.Body.Close() == nil {
		if _, err := body.ReadFrom(res.Body); err == nil && res.ContentLength < 0 {
			t.Error("an answer that had begun seems whole")
		}
	}
	server.Close()
	if !strings.Contains(log.String(), "the secret is out") || !strings.Contains(log.String(), "request_id=id-1") ||
		!strings.Contains(log.String(), "middleware_test.go") {
		t.Errorf("the log has no id or no stack:\n%s", &log)
	}
}

// An untrusted proxy in a private network may be the operator's own, so the log says once what to do. For requests
// that are forwarded from other addresses it says nothing.
func TestUntrustedProxyIsTold(t *testing.T) {
	var log bytes.Buffer
	trusted := limit.Proxies{netip.MustParsePrefix("127.0.0.0/8")}
	h := warnUntrustedProxy(trusted, slog.New(slog.NewTextHandler(&log, nil)), http.HandlerFunc(func(http.ResponseWriter,
		*http.Request) {
	}))
	for _, c := range []struct {
		peer, header string
		told         int
	}{
		{"127.0.0.1:5", "X-Real-IP", 0}, {"203.0.113.7:5", "X-Real-IP", 0}, {"10.1.2.3:5", "Accept", 0}, {"10.1.2.3:5",
			"X-Real-IP", 1},
		{"[fd00::2]:5", "X-Forwarded-For", 1}, {"10.1.2.3:5", "X-Real-IP", 1},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		r.Header.Set(c.header, "192.0.2.1")
		h.ServeHTTP(httptest.NewRecorder(), r)
		if n := strings.Count(log.String(), "TRUSTED_PROXIES"); n != c.told {
			t.Errorf("after %v it is told %d times", c, n)
		}
	}
	if !strings.Contains(log.String(), "proxy=10.1.2.3") {
		t.Error(log.String())
	}
}

// A request's work may go on after its answer, as that of a completion with 202 does. Its rows do not disturb the log,
// which the race detector would tell.
func TestRowsAfterTheAnswer(t *testing.T) {
	var log bytes.Buffer
	var work sync.WaitGroup
	begun, over := make(chan struct{}), make(chan struct{})
	h := withLog(slog.New(slog.NewTextHandler(&log, nil)), nil, nil, http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			work.Go(func() {
				requestInfoOf(r.Context()).file.note("a-file")
				close(begun)
				for {
					select {
					case <-over:
						return
					default:
						requestInfoOf(r.Context()).file.note("a-file")
					}
				}
			})
			<-begun
		}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/files/direct/a-file", nil))
	close(over)
	work.Wait()
	if said := log.String(); !strings.Contains(said, "file=a-file") {
		t.Errorf("the log has no file: %s", said)
	}
}
