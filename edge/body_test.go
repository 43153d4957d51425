package edge

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"holdfast/problem"
)

func TestContentEncoding(t *testing.T) {
	h := refuseContentEncoding(problem.Responder{}, http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	for value, want := range map[string]int{"": 204, "identity": 204, "Identity, ": 204, "gzip": 415, "identity, br": 415,
		"x-unknown": 415} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Content-Encoding", value)
		h.ServeHTTP(w, r)
		if w.Code != want || want == 415 && w.Header().Get("Accept-Encoding") != "identity" {
			t.Errorf("%q: %d %v", value, w.Code, w.Header())
		}
	}
}
