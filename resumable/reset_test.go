package resumable

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"sync/atomic"
	"testing"
	"time"
)

// By HTTP/2 net/http may still read the fields of an interim answer when WriteHeader has returned, because the client
// has reset the stream. The race detector sees it if they are changed then; without it, it ends the program.
func TestInterimAnswersOfStreamsThatAreReset(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := &interim{w: w, version: final, timeout: time.Minute}
		for range 1000 {
			i.send(map[string]string{uploadOffset: "1", "A": "2", "B": "3"})
			if r.Context().Err() != nil {
				break
			}
		}
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "end")
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	for range 300 {
		ctx, cancel := context.WithCancel(t.Context())
		var seen atomic.Int32
		r, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			Got1xxResponse: func(int, textproto.MIMEHeader) error {
				if seen.Add(1) == 2 {
					cancel()
				}
				return nil
			},
		}), "GET", s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := s.Client().Do(r); err == nil {
			res.Body.Close()
		}
		cancel()
		if n := seen.Load(); n < 2 {
			t.Fatalf("%d interim answers", n)
		}
	}
}
