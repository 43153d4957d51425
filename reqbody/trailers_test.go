package reqbody

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"holdfast/file"
)

// A body that is followed by a digest which was not announced is refused, also if a handler has copied the request.
func TestUnannouncedTrailers(t *testing.T) {
	for name, c := range map[string]struct {
		announced, trailer string
		refused            bool
	}{
		"none":             {"", "", false},
		"another":          {"", "X-A: 1\r\n", false},
		"not announced":    {"", "content-digest: x\r\n", true},
		"of tus":           {"", "Upload-Checksum: x\r\n", true},
		"announced":        {"Trailer: Content-Digest\r\n", "Content-Digest: x\r\n", false},
		"beside announced": {"Trailer: Content-Digest\r\n", "Content-Digest: x\r\nRepr-Digest: x\r\n", true},
	} {
		got := make(chan error, 1)
		server := httptest.NewServer(SeeTrailers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.WithContext(context.WithValue(r.Context(), t, t))
			body := New(w, r, time.Minute)
			_, err := io.Copy(io.Discard, body)
			got <- err
		})))
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"+c.announced+
			"\r\n5\r\nhello\r\n0\r\n"+c.trailer+"\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			t.Fatal(err)
		}
		if err := <-got; (err != nil) != c.refused || c.refused && !errors.Is(err, file.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		conn.Close()
		server.Close()
	}
}
