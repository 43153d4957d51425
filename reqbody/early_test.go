package reqbody

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// refusing answers 413 after it has read a few bytes of the body.
func refusing(read int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.CopyN(io.Discard, r.Body, read)
		w.Header().Set("Content-Length", "3")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		io.WriteString(w, "no\n")
	})
}

// dial sends the beginning of a request to a server, and no more.
func dial(t *testing.T, srv *httptest.Server, request string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute)) // so that a failing test ends
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

// An answer that does not need the rest of the body comes while the client has sent one byte of the body and sends no
// more.
func TestEarlyAnswers(t *testing.T) {
	srv := httptest.NewServer(AnswerEarly(refusing(1)))
	t.Cleanup(srv.Close) // after the connections, for which it waits
	for name, c := range map[string]struct {
		head string
		body string
		stay bool // the connection is kept
	}{
		"a large body":                 {"Content-Length: 1000000\r\n\r\n", "x", false},
		"a body of 200 KB":             {"Content-Length: 200000\r\n\r\n", "x", false},
		"a body of unknown length":     {"Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", false},
		"a small body that stays away": {"Content-Length: 1000\r\n\r\n", "x", false},
		"a small body that is there":   {"Content-Length: 1000\r\n\r\n", strings.Repeat("x", 1000), true},
		"a body that was read whole":   {"Content-Length: 1\r\n\r\n", "x", true},
		"no body":                      {"\r\n", "", true},
		"a client that asks if it may": {"Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n", "x", false},
	} {
		_, in := dial(t, srv, "PUT / HTTP/1.1\r\nHost: x\r\n"+c.head+c.body)
		if strings.Contains(c.head, "Expect") {
			if line, err := in.ReadString('\n'); !strings.Contains(line, "100") || err != nil {
				t.Fatalf("%s: %q %v", name, line, err)
			}
			in.ReadString('\n')
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if res.StatusCode != http.StatusRequestEntityTooLarge || res.Close == c.stay {
			t.Errorf("%s: %d, closed: %v", name, res.StatusCode, res.Close)
		}
	}
}

// The same if nothing of the body is read: a small body that does not come, and one whose client waits for 100
// (Continue).
func TestEarlyAnswersBeforeTheBody(t *testing.T) {
	srv := httptest.NewServer(AnswerEarly(refusing(0)))
	t.Cleanup(srv.Close) // after the connections, for which it waits
	for _, head := range []string{"Content-Length: 1000", "Content-Length: 1000\r\nExpect: 100-continue",
		"Content-Length: 1000000\r\nExpect: 100-continue", "Transfer-Encoding: chunked"} {
		_, in := dial(t, srv, "PUT / HTTP/1.1\r\nHost: x\r\n"+head+"\r\n\r\n")
		if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != 413 || !res.Close {
			t.Errorf("%q: %v %v", head, res, err)
		}
	}
}

// The same after a Read that was interrupted, as where another request takes the upload over.
func TestEarlyAnswerAfterAnInterruptedRead(t *testing.T) {
	srv := httptest.NewServer(AnswerEarly(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		control.SetReadDeadline(time.Now())
		if _, err := r.Body.Read(make([]byte, 1)); err == nil {
			t.Error("there is nothing to read")
		}
		control.SetReadDeadline(time.Now().Add(time.Hour))
		w.WriteHeader(http.StatusConflict)
	})))
	t.Cleanup(srv.Close) // after the connections, for which it waits
	for _, expect := range []string{"", "Expect: 100-continue\r\n"} {
		_, in := dial(t, srv, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"+expect+"\r\n")
		if expect != "" {
			in.ReadString('\n')
			in.ReadString('\n')
		}
		if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusConflict || !res.Close {
			t.Errorf("%q: %v %v", expect, res, err)
		}
	}
}

// A connection is closed on which reading the body ran into a deadline, also if the rest of the body came before the
// answer: net/http has ended the context of its later requests.
func TestNoRequestAfterAFailedRead(t *testing.T) {
	failed, sent := make(chan bool), make(chan bool)
	srv := httptest.NewServer(AnswerEarly(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).SetReadDeadline(time.Now())
		if _, err := r.Body.Read(make([]byte, 10)); err == nil {
			t.Error("there is nothing to read")
		}
		close(failed)
		<-sent
		w.WriteHeader(http.StatusConflict)
	})))
	t.Cleanup(srv.Close) // after the connections, for which it waits
	c, in := dial(t, srv, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
	<-failed
	io.WriteString(c, "late")
	close(sent)
	if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusConflict || !res.Close {
		t.Errorf("%v %v", res, err)
	}
}

// A client that sends all of a large body before it reads gets its answer.
func TestAnswerToAClientThatSendsOn(t *testing.T) {
	srv := httptest.NewServer(AnswerEarly(refusing(1)))
	t.Cleanup(srv.Close) // after the connections, for which it waits
	const size = 8 << 20
	c, in := dial(t, srv, fmt.Sprintf("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size))
	if n, err := io.Copy(c, bytes.NewReader(make([]byte, size))); err != nil {
		t.Logf("after %d bytes: %v", n, err) // a slow machine: it has closed already
	}
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Fatal(res, err)
	}
}
