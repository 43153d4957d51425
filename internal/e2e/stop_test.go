package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/testproc"
)

// terminate sends SIGTERM and returns when the server has begun to stop.
func (s *server) terminate(t *testing.T) {
	t.Helper()
	s.process.Signal(syscall.SIGTERM)
	s.eventually("the server says that it stops", func() bool {
		b, _ := os.ReadFile(s.log)
		return bytes.Contains(b, []byte("msg=stopping"))
	})
}

// ended waits for the end and checks that the exit status is 0.
func (s *server) ended(t *testing.T) {
	t.Helper()
	select {
	case <-s.process.Done():
	case <-time.After(patience):
		t.Fatalf("the server still runs\n%s", testproc.LogTail(s.log))
	}
	if err := s.process.Err(); err != nil {
		t.Errorf("the server did not end with status 0: %v", err)
	}
}

// open sends the head of a request on a connection of its own.
func (s *server) open(t *testing.T, head string) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	conn := s.dial(t, fmt.Sprintf("%s\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", head, s.token))
	return conn.(*net.TCPConn), bufio.NewReader(conn)
}

// After a restart the offset is the one that was answered to the upload that the stop interrupted.
func TestStopDuringPatch(t *testing.T) {
	t.Parallel()
	s := start(t)
	content := random(20 * mebi)
	at := s.create(t, len(content))
	const came = 9*mebi + 100
	_, in := s.stall(t, at, content[:came])
	s.process.Signal(syscall.SIGTERM)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !res.Close ||
		res.Header.Get("Upload-Offset") != strconv.Itoa(came) {
		t.Errorf("the PATCH got %s %v, want 503 and the offset %d", res.Status, res.Header, came)
	}
	s.ended(t) // no second signal: that would end it at once
	s.restart()
	if n := s.offset(t, at); n != came {
		t.Errorf("the offset is %d, %d bytes came", n, came)
	}
	s.goesOn(t, at, came, content)
}

// With a delay the service first reports that it will stop, and goes on serving. A second
// signal ends it at once.
func TestStopIsAnnounced(t *testing.T) {
	t.Parallel()
	s := start(t, "DRAIN_DELAY=1h")
	if a := s.do(t, "GET", "/readyz", nil); a.status != 200 || a.header.Get("Connection") != "" {
		t.Errorf("before: %v", a)
	}
	s.terminate(t)
	for _, path := range []string{"/readyz", "/files/readyz"} {
		if a := s.do(t, "GET", path, nil); a.status != 503 || string(a.body) != "stopping\n" {
			t.Errorf("%s: %v", path, a)
		}
	}
	if a := s.do(t, "GET", "/healthz", nil); a.status != 200 {
		t.Errorf("healthz: %v", a)
	}
	_, in := s.open(t, "GET /healthz HTTP/1.1")
	if res, err := http.ReadResponse(in, nil); err != nil || !res.Close {
		t.Errorf("the connection stays open: %v %v", res, err)
	}
	content := random(mebi)
	file, _ := s.upload(t, content)
	s.holds(t, file, content)

	s.process.Signal(syscall.SIGTERM)
	var exit *exec.ExitError
	if err := s.process.Err(); !errors.As(err, &exit) || exit.ExitCode() != 128+int(syscall.SIGTERM) {
		t.Errorf("after the second signal: %v", err)
	}
	s.restart()
	s.holds(t, file, content)
}

// After the delay it stops by itself.
func TestStopAfterDelay(t *testing.T) {
	t.Parallel()
	s := start(t, "DRAIN_DELAY=100ms")
	s.terminate(t)
	s.ended(t)
}

// A terminal that is closed stops it as gracefully: its exit status is 0.
func TestStopByHangup(t *testing.T) {
	t.Parallel()
	s := start(t)
	content := random(mebi)
	file, _ := s.upload(t, content)
	s.process.Signal(syscall.SIGHUP)
	s.ended(t)
	s.restart()
	s.holds(t, file, content)
}

// A slow client that reads its whole file within the time limit gets it.
func TestStopLetsDownloadsEnd(t *testing.T) {
	t.Parallel()
	s := start(t, "DRAIN_TIMEOUT=5m")
	content := random(30 * mebi)
	file, _ := s.upload(t, content)
	_, in := s.open(t, "GET "+strings.TrimPrefix(file, strings.TrimSuffix(s.base, "/files"))+" HTTP/1.1")
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	s.terminate(t)
	if got, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d of %d bytes came, %v", len(got), len(content), err)
	}
	s.ended(t)
}

// A client that stops reading is cut off, and the status is 0 nevertheless.
func TestStopCutsDownloads(t *testing.T) {
	t.Parallel()
	s := start(t, "DRAIN_TIMEOUT=1s")
	content := random(60 * mebi)
	file, _ := s.upload(t, content)
	conn, in := s.open(t, "GET "+strings.TrimPrefix(file, strings.TrimSuffix(s.base, "/files"))+" HTTP/1.1")
	if err := conn.SetReadBuffer(16 << 10); err != nil { // so that no buffer holds the whole file
		t.Fatal(err)
	}
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	s.terminate(t)
	s.ended(t)
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil {
		t.Errorf("all %d bytes came from a server that had ended", n)
	}
	s.restart()
	if a := s.do(t, "GET", file, nil, fmt.Sprintf("Range: bytes=%d-", n)); a.status != 206 ||
		!bytes.Equal(a.body, content[n:]) {
		t.Errorf("the rest, from byte %d: %d, %d bytes", n, a.status, len(a.body))
	}
}

// The service does not wait for idle connections when it stops.
func TestStopClosesIdleConnections(t *testing.T) {
	t.Parallel()
	s := start(t, "DRAIN_TIMEOUT=1h")
	_, in := s.open(t, "GET /healthz HTTP/1.1")
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.Close {
		t.Fatal(res, err)
	}
	io.Copy(io.Discard, res.Body)
	s.process.Signal(syscall.SIGTERM)
	if b, err := in.ReadByte(); err != io.EOF {
		t.Errorf("%q %v", b, err)
	}
	s.ended(t)
}

// A form comes whole or not at all, so it may end during the stop; one that does not end within the time limit is cut
// off and leaves nothing.
func TestStopDuringForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		timeout string
		ends    bool
	}{{"5m", true}, {"1s", false}} {
		t.Run(c.timeout, func(t *testing.T) {
			s := start(t, "DRAIN_TIMEOUT="+c.timeout)
			content := random(9 * mebi)
			body, header := formOf(t, "a.bin", "application/octet-stream", content)
			conn, in := s.open(t, fmt.Sprintf("POST /files/upload HTTP/1.1\r\n%s\r\nContent-Length: %d", header, len(body)))
			if _, err := conn.Write(body[:5*mebi]); err != nil {
				t.Fatal(err)
			}
			mine := conn.LocalAddr().(*net.TCPAddr).Port
			s.eventually("the server read the bytes", func() bool { return testproc.Unread(t, s.port, mine) == 0 })
			s.terminate(t)
			if !c.ends {
				s.ended(t)
				s.restart()
				s.nothingStored(t)
				return
			}
			if _, err := conn.Write(body[5*mebi:]); err != nil {
				t.Fatal(err)
			}
			if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != 200 || !res.Close {
				t.Errorf("the form got %v %v", res, err)
			}
			s.ended(t)
			s.restart()
			if files := s.list(t); len(files) != 1 {
				t.Errorf("files: %v", files)
			}
		})
	}
}

// A service that waits for its database or store at start can be stopped like any other.
func TestStopWhileStarting(t *testing.T) {
	t.Parallel()
	for name, missing := range map[string][]string{
		"database":     {"POSTGRES_HOST=127.0.0.1", "POSTGRES_USER=u", "POSTGRES_DB=d", "POSTGRES_PORT="},
		"object store": {"STORAGE_TYPE=s3", "S3_ACCESS_KEY=a", "S3_SECRET_KEY=b", "S3_ENDPOINT=http://127.0.0.1:"},
	} {
		t.Run(name, func(t *testing.T) {
			nobody, err := testproc.FreePort()
			if err != nil {
				t.Fatal(err)
			}
			missing[len(missing)-1] += strconv.Itoa(nobody)
			s := newServer(t, append(missing, "START_TIMEOUT=1h")...)
			s.begin()
			s.eventually("it waits", func() bool {
				b, _ := os.ReadFile(s.log)
				return strings.Contains(string(b), waitingFor(name))
			})
			s.process.Signal(syscall.SIGTERM)
			s.ended(t)
		})
	}
}
