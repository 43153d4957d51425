package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"holdfast/internal/test/testproc"
)

// stall begins a PATCH of 1000 bytes more than it sends, and returns when the server has read the bytes.
func (s *server) stall(t *testing.T, location string, body []byte, headers ...string) (net.Conn, *bufio.Reader) {
	t.Helper()
	return s.stallAt(t, location, 0, body, headers...)
}

func (s *server) stallAt(t *testing.T, location string, offset int, body []byte, headers ...string) (net.Conn,
	*bufio.Reader) {
	t.Helper()
	conn := s.dial(t, fmt.Sprintf("PATCH %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nTus-Resumable: "+
		"1.0.0\r\nUpload-Offset: %d\r\n%s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		strings.TrimPrefix(location, strings.TrimSuffix(s.base, "/files")), s.token, offset,
		strings.Join(append(headers, octets), "\r\n"), len(body)+1000))
	in := bufio.NewReader(conn)
	// The server sends it when the body is read for the first time.
	if said, err := in.ReadString('\n'); err != nil || !strings.Contains(said, "100 Continue") {
		t.Fatalf("%q %v", said, err)
	}
	if _, err := in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(body); err != nil {
		t.Fatal(err)
	}
	mine := conn.LocalAddr().(*net.TCPAddr).Port
	s.eventually("the server read the bytes", func() bool { return testproc.Unread(t, s.port, mine) == 0 })
	return conn, in
}

func TestSilentClient(t *testing.T) {
	t.Parallel()
	s := start(t, "READ_TIMEOUT=1s")
	content := random(301000)
	at := s.create(t, len(content))
	_, in := s.stall(t, at, content[:300000])
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 503 || res.Header.Get("Retry-After") == "" ||
		res.Header.Get("Upload-Offset") != "300000" {
		t.Errorf("a client that stopped sending: %v %v", res, err)
	}
	if n := s.offset(t, at); n != 300000 {
		t.Errorf("the offset is %d, 300000 bytes came", n)
	}
	s.goesOn(t, at, 300000, content)
}

func TestCutConnection(t *testing.T) {
	t.Parallel()
	s := start(t)
	content := random(9*mebi + 1000)
	at := s.create(t, len(content))
	conn, _ := s.stall(t, at, content[:9*mebi])
	conn.Close()
	s.eventually("all bytes that came are there", func() bool { return s.offset(t, at) == 9*mebi })
	s.goesOn(t, at, 9*mebi, content)
}

func TestHeadDuringStalledPatch(t *testing.T) {
	t.Parallel()
	s := start(t)
	content := random(301000)
	at := s.create(t, len(content))
	_, in := s.stall(t, at, content[:300000])
	if n := s.offset(t, at); n != 300000 {
		t.Errorf("the offset is %d, 300000 bytes came", n)
	}
	if res, err := http.ReadResponse(in, nil); err == nil && res.StatusCode < 400 {
		t.Errorf("the PATCH that was taken over got %v", res.Status)
	}
	s.goesOn(t, at, 300000, content)
}
