package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// host is the server's address.
func (s *server) host() string {
	_, address, _ := strings.Cut(s.base, "://")
	return strings.TrimSuffix(address, "/files")
}

// dial opens a connection, and sends text on it.
func (s *server) dial(t *testing.T, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.host())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, text) // it may have been closed already
	return c
}

// allClosed closes our idle connections, and waits until the server has noticed.
func (s *server) allClosed(t *testing.T) {
	t.Helper()
	s.lines.CloseIdleConnections()
	s.eventually("all connections are closed", func() bool { return s.scrape(t).sum("holdfast_connections") == 0 })
}

// More clients connect than the process has descriptors for, and send nothing, or half a header, or wait after one
// request: all others can still upload and download, and descriptors never run out.
func TestAttackWithSilentConnections(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"silent":        "",
		"half a header": "GET / HTTP/1.1\r\nHost: x\r\n",
		"idle":          "GET /files/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.within = []string{"sh", "-c", `ulimit -n 256; exec "$0"`}
			s.launch()
			s.lines.DisableKeepAlives = true // each request is a new client
			content := random(9 * mebi)
			for range 4 {
				for range 100 {
					s.dial(t, text)
				}
				file, _ := s.upload(t, content)
				s.holds(t, file, content)
			}
			now := s.scrape(t)
			limit := now.sum("holdfast_connections_limit")
			if n := now.sum("holdfast_connections"); limit != 48 || n > limit ||
				now.sum("holdfast_connections_closed_total") < 400-limit ||
				now.sum("holdfast_connections_refused_total") != 0 || now.sum("process_open_fds") > 200 {
				t.Errorf("%v of %v connections, %v descriptors, closed %v, refused %v", n, limit, now.sum("process_open_fds"),
					now["holdfast_connections_closed_total"], now["holdfast_connections_refused_total"])
			}
		})
	}
}

// refused opens a connection and expects an answer before it has sent anything.
func (s *server) refused(t *testing.T, status int, body string) {
	t.Helper()
	c := s.dial(t, "")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status || !strings.HasPrefix(string(got), body) ||
		res.Header.Get("Retry-After") == "" || !res.Close {
		t.Errorf("%v %v %s, want %d %s", err, res, got, status, body)
	}
}

// If all connections are serving requests, none can be closed for a new one, which gets 503.
func TestAllConnectionsAreBusy(t *testing.T) {
	t.Parallel()
	s := start(t, "MAX_CONNECTIONS=2")
	s.lines.DisableKeepAlives = true
	first := s.create(t, mebi)
	s.allClosed(t)
	second := s.create(t, mebi)
	s.allClosed(t)
	one, _ := s.stall(t, first, random(1000))
	s.stall(t, second, random(1000))
	s.refused(t, 503, `{"code":"INFRA_002"`)
	one.Close()
	s.eventually("there is room again", func() bool { return s.scrape(t).sum("holdfast_connections") < 2 })
	if a := s.do(t, "GET", "/files/", nil); a.status != 200 {
		t.Error(a)
	}
	if n := s.scrape(t).sum("holdfast_connections_refused_total", "limit=all"); n < 1 {
		t.Errorf("%v were refused", n)
	}
}

// The number of connections from one address is limited; another address still gets one. A trusted proxy
// may have all of them.
func TestConnectionsOfOneClient(t *testing.T) {
	t.Parallel()
	s := start(t, "MAX_CONNECTIONS=50", "MAX_CONNECTIONS_PER_CLIENT=2", "TRUSTED_PROXIES=127.0.0.2")
	s.lines.DisableKeepAlives = true
	first := s.create(t, mebi)
	s.allClosed(t)
	second := s.create(t, mebi)
	s.allClosed(t)
	s.stall(t, first, random(1000))
	s.stall(t, second, random(1000))
	s.refused(t, 429, `{"code":"RATE_001","message":"Rate limit exceeded"`)
	for i := range 10 {
		from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i/8))}, Timeout: patience}
		c, err := from.Dial("tcp", s.host())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(c, "GET /files/healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != 200 {
			t.Errorf("connection %d: %v %v", i, res, err)
		}
	}
}

// An idle connection is kept for IDLE_TIMEOUT, and no longer.
func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	s := start(t, "IDLE_TIMEOUT=100ms")
	c := s.dial(t, "GET /files/healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	if got, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200 ") {
		t.Errorf("%q %v", got, err)
	}
}
