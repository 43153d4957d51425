package limit

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"holdfast/file"
)

// serveLimited serves "ok" at an address within limits.
func serveLimited(t *testing.T, s ConnectionSettings, wrap func(net.Listener) net.Listener) (*Connections, string) {
	t.Helper()
	s.Refuse = func(c net.Conn, why error) { io.WriteString(c, why.Error()) }
	limits := NewConnections(s)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ConnState: limits.State, Handler: http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		io.WriteString(w, "ok")
	})}
	go server.Serve(limits.Listener(wrap(l)))
	t.Cleanup(func() { server.Close() })
	return limits, l.Addr().String()
}

// client opens a connection, sends text and leaves the connection open.
func client(t *testing.T, address, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// answered sends a request and reads its answer. It tries again when it is refused: the server learns a moment after an
// answer was read that the connection before is idle.
func answered(t *testing.T, address string) net.Conn {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		c := client(t, address, request)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil && res.StatusCode == 200 {
			return c
		}
		if time.Now().After(end) {
			t.Fatal(res, err)
		}
	}
}

// untilOpen waits until this many connections are known.
func untilOpen(t *testing.T, c *Connections, n float64) {
	t.Helper()
	for end := time.Now().Add(time.Minute); testutil.ToFloat64(c.metrics.open) != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%v connections, want %v", testutil.ToFloat64(c.metrics.open), n)
		}
	}
}

// untilIdle waits until the server knows that this many connections are idle.
func untilIdle(t *testing.T, c *Connections, n int) {
	t.Helper()
	idle := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.idle.Len()
	}
	for end := time.Now().Add(time.Minute); idle() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections are idle, want %d", idle(), n)
		}
	}
}

// ends reports whether the server closes a connection.
func ends(c net.Conn) bool {
	_, err := io.Copy(io.Discard, c)
	return err == nil || !err.(net.Error).Timeout()
}

// The oldest connection without a request is evicted before any idle one. Of the idle ones, the
// one that was idle longest is evicted first.
func TestEviction(t *testing.T) {
	limits, address := serveLimited(t, ConnectionSettings{Most: func() int { return 3 }, PerClient: 100},
		func(l net.Listener) net.Listener { return l })
	idle := answered(t, address)
	untilIdle(t, limits, 1)
	silent := client(t, address, "")
	untilOpen(t, limits, 2)
	half := client(t, address, "GET / HT")
	untilOpen(t, limits, 3)
	answered(t, address)
	if !ends(silent) {
		t.Error("the silent connection is open")
	}
	answered(t, address)
	if !ends(half) {
		t.Error("the one with half a request is open")
	}
	untilIdle(t, limits, 3)
	answered(t, address)
	if !ends(idle) {
		t.Error("the one that was idle longest is open")
	}
	untilOpen(t, limits, 3)
	if s, i := testutil.ToFloat64(limits.metrics.closed.WithLabelValues("silent")),
		testutil.ToFloat64(limits.metrics.closed.WithLabelValues("idle")); s != 2 || i != 1 {
		t.Errorf("%v silent, %v idle", s, i)
	}
}

// One address evicts its own connections only; a proxy is not counted.
func TestConnectionsPerClient(t *testing.T) {
	never := func() int { return 1000 }
	limits, address := serveLimited(t, ConnectionSettings{Most: never, PerClient: 1},
		func(l net.Listener) net.Listener { return l })
	first := answered(t, address)
	answered(t, address)
	if !ends(first) {
		t.Error("the first is open")
	}
	untilOpen(t, limits, 1)
	limits, address = serveLimited(t, ConnectionSettings{Most: never, PerClient: 1,
		Proxies: Proxies{netip.MustParsePrefix("127.0.0.0/8")}},
		func(l net.Listener) net.Listener { return l })
	for range 10 {
		answered(t, address)
	}
	untilOpen(t, limits, 10)
}

// starved is a listener whose first Accept fails for want of descriptors.
type starved struct {
	net.Listener
	failed atomic.Bool
}

func (l *starved) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil && l.failed.CompareAndSwap(false, true) {
		return c, nil
	}
	if err == nil {
		defer c.Close()
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return c, err
}

// When the process has no file descriptor left, a waiting connection is evicted.
func TestNoDescriptors(t *testing.T) {
	_, address := serveLimited(t, ConnectionSettings{Most: func() int { return 1000 }},
		func(l net.Listener) net.Listener { return &starved{Listener: l} })
	silent := client(t, address, "")
	client(t, address, "")
	if !ends(silent) {
		t.Error("the silent connection is open")
	}
}

// When many connections are refused at once, only few are kept open for their answer.
func TestRefusals(t *testing.T) {
	release := make(chan struct{})
	limits := NewConnections(ConnectionSettings{Most: func() int { return 1 },
		Refuse: func(net.Conn, error) { <-release }})
	var closed atomic.Int64
	for range 100 {
		server, other := net.Pipe()
		limits.refuse(server, file.ErrUnavailable)
		go func() {
			other.Read(make([]byte, 1))
			closed.Add(1)
		}()
	}
	for end := time.Now().Add(time.Minute); closed.Load() < 84; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of 100 are closed at once; 16 may be kept open for their answer", closed.Load())
		}
	}
	close(release)
	if n := testutil.ToFloat64(limits.metrics.refused.WithLabelValues("all")); n != 100 {
		t.Errorf("%v refused", n)
	}
}
