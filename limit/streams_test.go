package limit

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"holdfast/file"
)

// connected is a connection from an address, as the server knows it.
type connected struct {
	net.Conn
	from string
}

func (c *connected) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.from))
}

func (c *connected) Close() error { return nil }

// secured is a connection over TLS.
type secured struct{ *connected }

func (c secured) NetConn() net.Conn { return c.connected }

// over is a request of HTTP/2 on a connection.
func over(t *testing.T, c *Connections, conn net.Conn) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(c.Context(t.Context(), conn), http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.ProtoMajor = 2
	return r
}

func begin(t *testing.T, c *Connections, conn net.Conn) func() {
	t.Helper()
	end, err := c.Begin(over(t, c, conn))
	if err != nil {
		t.Fatal(err)
	}
	return end
}

// Each request beyond the first of a connection takes the place of a connection, for all clients and for one.
func TestRequestsOfAConnection(t *testing.T) {
	for name, s := range map[string]struct {
		ConnectionSettings
		want error
	}{
		"all":    {ConnectionSettings{Most: func() int { return 3 }, PerClient: 9}, file.ErrUnavailable},
		"client": {ConnectionSettings{Most: func() int { return 9 }, PerClient: 3}, file.ErrTooMany},
	} {
		t.Run(name, func(t *testing.T) {
			c := NewConnections(s.ConnectionSettings)
			conn := &connected{from: "192.0.2.1:1"}
			if err := c.admit(conn); err != nil {
				t.Fatal(err)
			}
			c.State(secured{conn}, http.StateActive)
			first, _, third := begin(t, c, secured{conn}), begin(t, c, conn), begin(t, c, conn)
			if _, err := c.Begin(over(t, c, conn)); !errors.Is(err, s.want) {
				t.Errorf("a fourth request: %v", err)
			}
			if err := c.admit(&connected{from: "192.0.2.1:2"}); !errors.Is(err, s.want) {
				t.Errorf("a connection: %v", err)
			}
			third()
			begin(t, c, conn)
			first()
			begin(t, c, conn)
			c.State(secured{conn}, http.StateClosed)
			first() // late: it was forgotten with its connection
			if c.extra != 0 || len(c.perClient) != 0 || len(c.open) != 0 {
				t.Errorf("left: %d requests, %v", c.extra, c.perClient)
			}
		})
	}
}

// A request makes room by closing a connection that waits.
func TestRequestEvictsAWaitingConnection(t *testing.T) {
	c := NewConnections(ConnectionSettings{Most: func() int { return 2 }, PerClient: 9})
	busy, silent := &connected{from: "192.0.2.1:1"}, &connected{from: "192.0.2.2:1"}
	for _, conn := range []net.Conn{busy, silent} {
		if err := c.admit(conn); err != nil {
			t.Fatal(err)
		}
	}
	c.State(busy, http.StateActive)
	begin(t, c, busy)
	begin(t, c, busy)
	if c.open[silent] != nil {
		t.Error("the silent connection is open")
	}
	if _, err := c.Begin(over(t, c, busy)); !errors.Is(err, file.ErrUnavailable) {
		t.Errorf("nothing to close: %v", err)
	}
}

// So many connections may speak HTTP/2, until one of them ends.
func TestConnectionsOfHTTP2(t *testing.T) {
	c := NewConnections(ConnectionSettings{Most: func() int { return 9 }, HTTP2: 1})
	one, two := &connected{from: "192.0.2.1:1"}, &connected{from: "192.0.2.2:1"}
	for _, conn := range []net.Conn{one, two} {
		if err := c.admit(conn); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the answer for a connection stays
		if !c.AdmitHTTP2(one) || c.AdmitHTTP2(two) || c.AdmitHTTP2(&connected{}) {
			t.Error("not the first alone may")
		}
	}
	c.State(one, http.StateClosed)
	if !c.AdmitHTTP2(two) {
		t.Error("the place is not free again")
	}
}
