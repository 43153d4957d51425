package edge

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// serveStreams serves HTTP/2 with h, and returns a client's POST of a body.
func serveStreams(t *testing.T, h http.HandlerFunc) func(io.Reader) (*http.Response, error) {
	t.Helper()
	server := httptest.NewUnstartedServer(withStreams(time.Minute, h))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	client := server.Client()
	client.Timeout = time.Minute // so that a failing test ends
	return func(body io.Reader) (*http.Response, error) { return client.Post(server.URL, "text/plain", body) }
}

// A deadline that passes while nothing waits for the client ends nothing, as with HTTP/1.1.
func TestDeadlineWhileNobodyWaits(t *testing.T) {
	post := serveStreams(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		soon := time.Now().Add(10 * time.Millisecond)
		if control.SetReadDeadline(soon) != nil || control.SetWriteDeadline(soon) != nil {
			t.Error("no deadlines")
		}
		<-time.After(time.Until(soon) + 10*time.Millisecond) // it waits for memory, or for the store
		later := time.Now().Add(time.Minute)
		_, _ = control.SetReadDeadline(later), control.SetWriteDeadline(later)
		if b, err := io.ReadAll(r.Body); err != nil || string(b) != "the body" {
			t.Errorf("the body: %q %v", b, err)
		}
		io.WriteString(w, "the answer")
	})
	res, err := post(strings.NewReader("the body"))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(res.Body); err != nil || string(b) != "the answer" || res.ProtoMajor != 2 {
		t.Errorf("the answer: %q %v, %s", b, err, res.Proto)
	}
}

// A read that waits ends with its deadline, also with one that is set meanwhile, and the answer can still be sent.
func TestReadDeadlineOfAStream(t *testing.T) {
	for name, meanwhile := range map[string]bool{"before": false, "meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			post := serveStreams(t, func(w http.ResponseWriter, r *http.Request) {
				control := http.NewResponseController(w)
				if meanwhile {
					time.AfterFunc(10*time.Millisecond, func() { control.SetReadDeadline(time.Now()) })
				} else {
					control.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
				}
				for range 2 {
					if _, err := io.ReadAll(r.Body); err != os.ErrDeadlineExceeded { // tusd looks for this very one
						t.Errorf("the body: %v", err)
					}
				}
				w.WriteHeader(http.StatusRequestTimeout)
			})
			silent, hold := io.Pipe()
			defer hold.Close()
			res, err := post(silent)
			if err != nil || res.StatusCode != http.StatusRequestTimeout {
				t.Errorf("%v %v", res, err)
			}
		})
	}
}

// If a client does not read its answer, the write ends, and the answer does not look complete.
func TestWriteDeadlineOfAStream(t *testing.T) {
	wrote, head := make(chan error, 1), make(chan struct{})
	post := serveStreams(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.Flush()
		select {
		case <-head: // the client has got the answer's head, however slow this machine is
		case <-r.Context().Done():
		}
		control.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, err := w.Write(make([]byte, 32<<20)) // more than the client's window
		wrote <- err
	})
	res, err := post(nil)
	if err != nil {
		t.Fatal(err)
	}
	close(head)
	if err := <-wrote; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the write: %v", err)
	}
	if n, err := io.Copy(io.Discard, res.Body); err == nil || n == 32<<20 {
		t.Errorf("the client got %d bytes, %v", n, err)
	}
}

// A write that begins after its deadline ends the answer.
func TestLateWriteOfAStream(t *testing.T) {
	post := serveStreams(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "a part")
		control := http.NewResponseController(w)
		_ = control.Flush()
		control.SetWriteDeadline(time.Unix(1, 0))
		if _, err := io.WriteString(w, "the rest"); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the write: %v", err)
		}
	})
	res, err := post(nil)
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
	}
	if err == nil {
		t.Error("the answer looks whole")
	}
}

// A body that breaks off has the same error as with HTTP/1.1, and a deadline of a request that has ended has no
// effect.
func TestBodyOfAStreamBreaksOff(t *testing.T) {
	var control *http.ResponseController
	ended := make(chan error, 1)
	post := serveStreams(t, func(w http.ResponseWriter, r *http.Request) {
		control = http.NewResponseController(w)
		b, err := io.ReadAll(r.Body)
		if string(b) != "some" {
			t.Errorf("what came: %q", b)
		}
		ended <- err
	})
	body, client := io.Pipe()
	go func() {
		io.WriteString(client, "some")
		client.CloseWithError(errors.New("gone"))
	}()
	if _, err := post(body); err == nil {
		t.Error("an answer")
	}
	if err := <-ended; err != io.ErrUnexpectedEOF { // tusd looks for this very one
		t.Errorf("the body: %v", err)
	}
	control.SetReadDeadline(time.Now())
	control.SetWriteDeadline(time.Now())
}
