package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/test/holdfasttest"
	"holdfast/internal/test/pgtest"
	"holdfast/internal/test/s3test"
)

// watcher is a proxy between the service and its store that counts requests and bytes.
type watcher struct {
	mu    sync.Mutex
	calls []string // "GET bytes=0-4"
	bytes int64    // of bodies that came back
}

func watch(t *testing.T, s3 *s3test.Server) *watcher {
	t.Helper()
	target, err := url.Parse(s3.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host // Host stays as it was signed
			w.mu.Lock()
			defer w.mu.Unlock()
			w.calls = append(w.calls, r.In.Method+" "+r.In.Header.Get("Range"))
		},
		ModifyResponse: func(res *http.Response) error { res.Body = &counter{res.Body, w}; return nil },
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	s3.Endpoint = server.URL
	return w
}

type counter struct {
	io.ReadCloser
	w *watcher
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.w.bytes += int64(n)
	return n, err
}

func (w *watcher) take() (calls []string, n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls, n = w.calls, w.bytes
	w.calls, w.bytes = nil, 0
	return calls, n
}

// A range of a recently read file costs one call to the store, for exactly that range, and nothing else: the database
// is stopped.
func TestHotRange(t *testing.T) {
	s3, pg := s3test.Start(t), pgtest.Start(t)
	w := watch(t, s3)
	s := start(t, append(append(objectStore(s3), postgres(pg)...), "PERMISSION_CACHE_TTL=10m", "AUTH_CACHE_TTL=10m")...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	content := random(9*mebi + 5)
	file, _ := s.upload(t, content)
	s.do(t, "HEAD", file, nil)
	pg.Stop(t)
	w.take()
	for _, c := range []struct {
		method, headers string
		status          int
		calls           []string
		bytes           int64
	}{
		{"GET", "Range: bytes=5000000-5065535", 206, []string{"GET bytes=5000000-5065535"}, 65536},
		{"GET", "Range: bytes=-1", 206, []string{"GET bytes=9437188-9437188"}, 1},
		{"GET", "Range: bytes=9000000-", 206, []string{"GET bytes=9000000-9437188"}, 437189},
		{"GET", "Accept: */*", 200, []string{"GET bytes=0-9437188"}, 9437189},
		{"GET", "Range: bytes=0-9,50-99,0-4", 206, []string{"GET bytes=0-9", "GET bytes=50-99", "GET bytes=0-4"}, 65},
		{"GET", "Range: bytes=9437189-", 416, nil, 0},
		{"GET", "If-None-Match: *", 304, nil, 0},
		{"GET", `If-Match: "x"`, 412, nil, 0},
		{"HEAD", "Range: bytes=0-9", 200, nil, 0},
	} {
		a := s.do(t, c.method, file, nil, c.headers)
		if calls, n := w.take(); a.status != c.status || !slices.Equal(calls, c.calls) || n != c.bytes {
			t.Errorf("%s %s: %d, the store was asked for %q and sent %d bytes; want %d %q %d", c.method, c.headers, a.status,
				calls, n, c.status, c.calls, c.bytes)
		}
	}
	pg.Restart(t)
}

// rss returns the resident memory of a process, in bytes.
func rss(t *testing.T, pid int) (n int64) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(b, []byte("VmRSS:"))
	if _, err := fmt.Sscanf(string(rest), "%d", &n); err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// openSockets counts the sockets of a process.
func openSockets(t *testing.T, pid int) (n int) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// Slow readers cost one buffer each, and leave nothing behind.
func TestSlowReaders(t *testing.T) {
	const (
		readers = 500
		speed   = 20_000 // bytes a second
		most    = 1 << 20
	)
	s := newServer(t, objectStore(s3test.Start(t))...)
	s.binary = holdfasttest.Plain(t) // without the race detector's memory
	s.launch()
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	content := random(2 * mebi) // buffers of the kernel hold most of it, and its memory for them is everybody's
	file, _ := s.upload(t, content)
	s.holds(t, file, content)
	client.CloseIdleConnections()

	rest := func() (goroutines, sockets int) {
		return int(s.metric("go_goroutines")), openSockets(t, s.process.Pid())
	}
	goroutines, sockets := rest()
	before := rss(t, s.process.Pid())

	stop := make(chan struct{})
	var running, reading sync.WaitGroup
	for range readers {
		running.Add(1)
		reading.Add(1)
		go func() {
			defer running.Done()
			began := sync.OnceFunc(reading.Done)
			defer began()
			if err := s.readSlowly(file, speed, began, stop); err != nil {
				t.Error(err)
			}
		}()
	}
	reading.Wait()
	during := rss(t, s.process.Pid())
	busy, open := rest()
	close(stop)
	running.Wait()
	each := (during - before) / readers
	t.Logf("%d readers: RSS from %d to %d MiB, %d KiB for each; goroutines from %d to %d, sockets from %d to %d",
		readers, before>>20, during>>20, each>>10, goroutines, busy, sockets, open)
	if each >= most {
		t.Errorf("%d bytes for each reader, want less than %d", each, most)
	}
	if open < sockets+2*readers { // one from the client, one to the store
		t.Errorf("%d sockets with %d readers: they did not read at once", open, readers)
	}
	s.lines.CloseIdleConnections()
	s.eventually("goroutines and connections are where they were", func() bool {
		g, f := rest()
		return g <= goroutines+5 && f <= sockets+5
	})
}

// readSlowly reads a file at that many bytes a second until stop. It calls began after five seconds' worth.
func (s *server) readSlowly(file string, speed int, began func(), stop <-chan struct{}) error {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		return err
	}
	defer conn.Close()
	// Small, so that the server is slowed down instead of a buffer being filled.
	if err := conn.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil {
		return err
	}
	conn.SetDeadline(time.Now().Add(5 * patience)) // hundreds of clients share a processor
	u, err := url.Parse(file)
	if err != nil {
		return err
	}
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", u.Path, s.token)
	buf := make([]byte, speed/10)
	for pieces := 1; ; pieces++ {
		select {
		case <-stop:
			return nil
		case <-time.After(100 * time.Millisecond):
		}
		n, err := io.ReadFull(conn, buf)
		if pieces == 1 && !bytes.HasPrefix(buf[:n], []byte("HTTP/1.1 200 OK\r\n")) {
			return fmt.Errorf("%q, %v", buf[:min(n, 100)], err)
		}
		if err != nil {
			return err
		}
		if pieces == 50 {
			began()
		}
	}
}
