package reqbody

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A late Interrupt or Read of a body whose request has been answered does not affect the next request on the
// connection.
func TestRelease(t *testing.T) {
	var first *Body
	late := make(chan bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := New(w, r, time.Minute)
		defer body.Release()
		if first == nil {
			first = body
			return
		}
		first.Interrupt()
		if _, err := first.Read(make([]byte, 1)); err != first.Interrupted {
			t.Error(err)
		}
		close(late)
		if got, err := io.ReadAll(r.Body); string(got) != "second" || err != nil {
			t.Errorf("%q %v", got, err)
		}
	}))
	defer server.Close()

	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer := make([]byte, 4096)
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nfirst"); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(answer); err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 200") {
		t.Fatalf("%q %v", answer[:n], err)
	}
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-late
	if _, err := io.WriteString(conn, "second"); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(answer); err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 200") {
		t.Fatalf("%q %v", answer[:n], err)
	}
}
