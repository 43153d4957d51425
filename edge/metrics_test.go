package edge

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// edgeOf returns a route behind the middleware that counts and logs requests.
func edgeOf(m *Metrics, answer http.HandlerFunc) http.Handler {
	router := mux.NewRouter()
	if m != nil {
		router.Use(m.recordRoute("/files"))
	}
	router.HandleFunc("/files/tus/{id}", answer)
	return withRequestID(withLog(slog.New(requestIDHandler{slog.NewJSONHandler(io.Discard, nil)}), nil, m, router))
}

// A request whose answer was cut off is no success, and is not in flight any more.
func TestCutRequest(t *testing.T) {
	m := NewMetrics(prometheus.NewRegistry())
	h := edgeOf(m, func(http.ResponseWriter, *http.Request) {
		if n := testutil.ToFloat64(m.inFlight.WithLabelValues("upload")); n != 1 {
			t.Errorf("%v in flight", n)
		}
		panic(http.ErrAbortHandler)
	})
	func() {
		defer func() { recover() }()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("HEAD", "/files/tus/1", nil))
	}()
	if cut, still := testutil.ToFloat64(m.answers.WithLabelValues("/tus/{id}", "HEAD", "cut")),
		testutil.ToFloat64(m.inFlight.WithLabelValues("upload")); cut != 1 || still != 0 {
		t.Errorf("%v cut, %v in flight", cut, still)
	}
}

// Every way to send a file counts as an upload, also PUT and the requests about direct uploads.
func TestKindsOfRequests(t *testing.T) {
	for request, want := range map[string]string{
		"POST /tus/": "upload", "PATCH /tus/{id}": "upload", "GET /tus/{id}": "download", "POST /upload": "upload",
		"PUT /{id}": "upload", "GET /{id}": "download", "HEAD /{id}": "download", "DELETE /{id}": "other",
		"POST /direct/": "upload", "GET /direct/{id}": "upload", "POST /direct/{id}/complete": "upload",
		"PUT /{id}/grants": "other", "GET /": "other", "GET none": "other",
	} {
		method, route, _ := strings.Cut(request, " ")
		if kind := (&requestInfo{method: method, route: route}).kindLabel(); kind != want {
			t.Errorf("%s is %s, not %s", request, kind, want)
		}
	}
}

// What it costs a request to be counted.
func BenchmarkRequest(b *testing.B) {
	for name, m := range map[string]*Metrics{"logged": nil, "logged and counted": NewMetrics(prometheus.NewRegistry())} {
		b.Run(name, func(b *testing.B) {
			h := edgeOf(m, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
			r := httptest.NewRequest("HEAD", "/files/tus/54efdbb4-8531-4c5b-96f6-42c28b1641f7", nil)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
