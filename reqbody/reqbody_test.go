package reqbody

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// bodyFunc is a body that one function reads.
type bodyFunc func([]byte) (int, error)

func (f bodyFunc) Read(p []byte) (int, error) { return f(p) }
func (f bodyFunc) Close() error               { return nil }

// deadlines counts how often the deadline of the connection is set.
type deadlines struct {
	http.ResponseWriter
	set int
}

func (d *deadlines) SetReadDeadline(time.Time) error { d.set++; return nil }

// An Interrupt that comes with the end of the body, which net/http reads on behind, interrupts the Read and closes the
// connection: net/http may have met the deadline and ended the context of the connection.
func TestInterruptAtTheEnd(t *testing.T) {
	for _, end := range []error{nil, io.EOF} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("PATCH", "/", strings.NewReader("last"))
		var body *Body
		rest := strings.NewReader("st")
		r.Body = io.NopCloser(bodyFunc(func(p []byte) (int, error) {
			if rest.Len() < 2 {
				return rest.Read(p)
			}
			body.Interrupt()
			return copy(p, "la"), end
		}))
		AnswerEarly(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body = New(w, r, time.Minute)
			if n, err := body.Read(make([]byte, 10)); n != 2 || err != body.Interrupted || !body.Cut() {
				t.Errorf("%d %v", n, err)
			}
			w.WriteHeader(http.StatusConflict)
		})).ServeHTTP(w, r)
		if w.Header().Get("Connection") != "close" {
			t.Errorf("%v: the connection is kept", end)
		}
	}
}

// No deadline is set but for a Read that waits.
func TestDeadlineOnlyWhileReading(t *testing.T) {
	w := &deadlines{ResponseWriter: httptest.NewRecorder()}
	body := New(w, httptest.NewRequest("PATCH", "/", strings.NewReader("all")), time.Minute)
	if _, err := io.ReadAll(body); err != nil || w.set == 0 {
		t.Fatal(err, w.set)
	}
	w.set = 0
	body.Read(make([]byte, 1))
	body.Interrupt()
	if _, err := body.Read(make([]byte, 1)); err != body.Interrupted || w.set != 0 {
		t.Error(err, w.set)
	}

	body = New(w, httptest.NewRequest("PATCH", "/", strings.NewReader("all")), time.Minute)
	body.Interrupt()
	if n, err := body.Read(make([]byte, 1)); n != 0 || err != body.Interrupted || w.set != 0 {
		t.Error(n, err, w.set)
	}
}
