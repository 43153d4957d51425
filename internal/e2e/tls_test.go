package e2e

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/test/tlstest"
)

// secure is a server that speaks TLS, and its authority.
type secure struct {
	*server
	authority *tlstest.Authority
	dialed    *dialed
}

// dialed are the connections of a transport.
type dialed struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (d *dialed) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.conns = append(d.conns, c)
	}
	return c, err
}

// breakLines closes the client's connections under its requests.
func (s secure) breakLines() {
	s.dialed.mu.Lock()
	defer s.dialed.mu.Unlock()
	for _, c := range s.dialed.conns {
		c.Close()
	}
	s.dialed.conns = nil
}

// newSecure prepares a server with TLS_CERT and TLS_KEY. Its clients trust the certificate, and speak HTTP/2.
func newSecure(t *testing.T, env ...string) secure {
	t.Helper()
	s := secure{server: newServer(t, env...), dialed: &dialed{}}
	s.authority = tlstest.New(t, s.folder)
	cert, key := s.issue(t).Write(t, s.folder)
	s.env = append(s.env, "TLS_CERT="+cert, "TLS_KEY="+key)
	s.base = "https" + strings.TrimPrefix(s.base, "http")
	s.lines.TLSClientConfig, s.lines.DialContext = s.authority.Trust(), s.dialed.dial
	return s
}

func startSecure(t *testing.T, env ...string) secure {
	t.Helper()
	s := newSecure(t, env...)
	s.launch()
	return s
}

// issue issues a certificate that is valid for a day.
func (s secure) issue(t *testing.T) tlstest.Pair {
	t.Helper()
	return s.authority.Issue(t, time.Now().Add(24*time.Hour))
}

// stuckConn is the one connection of a transport, whose reads stop.
type stuckConn struct {
	net.Conn
	stopped chan struct{}
}

func (c *stuckConn) dial(ctx context.Context, network, address string) (_ net.Conn, err error) {
	c.stopped = make(chan struct{})
	c.Conn, err = new(net.Dialer).DialContext(ctx, network, address)
	return c, err
}

// stop has all later reads wait until the connection is closed.
func (c *stuckConn) stop() { close(c.stopped) }

func (c *stuckConn) Read(b []byte) (int, error) {
	select {
	case <-c.stopped:
		select {} // the kernel's buffers fill
	default:
		return c.Conn.Read(b)
	}
}
