package limit

import (
	"container/list"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"holdfast/file"
)

// Connections limits how many connections are open. When the limit is reached, a new connection evicts
// the one that has been waiting longest: first of those that have not sent a request yet, then of those
// that are idle between two requests. So clients that connect and stay silent lock out no others. When all
// connections are serving a request, the new one is refused.
type Connections struct {
	ConnectionSettings
	metrics *connectionMetrics
	replies chan struct{} // a slot for each refusal that is being sent

	mu        sync.Mutex
	open      map[net.Conn]*connection
	extra     int            // requests beyond the first of their connection
	http2     int            // connections that may speak HTTP/2
	perClient map[string]int // connections, and requests beyond the first of one
	fresh     *list.List     // of *connection without a request yet, the oldest first
	idle      *list.List     // of *connection between two requests, the longest idle first
}

// ConnectionSettings are the limits.
type ConnectionSettings struct {
	// Most is the limit for all clients together. It is called for every connection: the limit of open
	// files, from which it may be derived, can change while the program runs.
	Most func() int
	// PerClient is the limit for one address; 0: a quarter of Most.
	PerClient int
	// Proxies stand for many clients each, so PerClient does not apply to them.
	Proxies Proxies
	// Refuse answers a connection that is refused: with file.ErrTooMany for PerClient, or with
	// file.ErrUnavailable. It must return soon.
	Refuse func(net.Conn, error)
	// HTTP2 is how many connections may speak HTTP/2.
	HTTP2 int
}

// connection is an open connection. While it waits for a request it has a place in a list.
type connection struct {
	net.Conn
	client   string // empty: a proxy
	http2    bool
	requests int // of HTTP/2, that are being answered
	list     *list.List
	place    *list.Element
}

// maxReplies is how many refused connections are kept open at the same time for their answer.
const maxReplies = 16

// NewConnections returns a Connections without open connections.
func NewConnections(s ConnectionSettings) *Connections {
	c := &Connections{ConnectionSettings: s, replies: make(chan struct{}, maxReplies), open: map[net.Conn]*connection{},
		perClient: map[string]int{}, fresh: list.New(), idle: list.New()}
	c.metrics = newConnectionMetrics(c)
	return c
}

// Listener applies the limits to l. The server that accepts from it must have State as its ConnState.
func (c *Connections) Listener(l net.Listener) net.Listener { return &limitedListener{l, c} }

type limitedListener struct {
	net.Listener
	limits *Connections
}

// Accept returns the next connection that is not refused. When the process has no file descriptor left,
// it evicts a connection to get one.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		switch {
		case err == nil:
			if why := l.limits.admit(conn); why != nil {
				l.limits.refuse(conn, why)
				continue
			}
			return conn, nil
		case (errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)) && l.limits.evictAny():
			time.Sleep(time.Millisecond) // the descriptor is freed when the connection's reader returns
		default:
			return nil, err // net/http retries those that are temporary
		}
	}
}

// admit adds a connection, or returns why it is refused.
func (c *Connections) admit(conn net.Conn) error {
	client := c.client(conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.makeRoom(client); err != nil {
		return err
	}
	known := &connection{Conn: conn, client: client}
	c.open[conn] = known
	c.count(client, 1)
	c.move(known, c.fresh)
	return nil
}

// makeRoom returns nil if one more of this client has room, for which waiting connections may be closed. The error is
// that of ConnectionSettings.Refuse.
func (c *Connections) makeRoom(client string) error {
	most := max(1, c.Most())
	perClient := c.PerClient
	if perClient == 0 {
		perClient = max(1, most/4)
	}
	if client != "" && c.perClient[client] >= perClient && !c.evict(client) {
		return file.ErrTooMany
	}
	// More than one if Most has become lower.
	for len(c.open)+c.extra >= most && c.evict("") {
	}
	if len(c.open)+c.extra >= most {
		return file.ErrUnavailable
	}
	return nil
}

// count adds n to what a client has.
func (c *Connections) count(client string, n int) {
	if client == "" {
		return
	}
	if c.perClient[client] += n; c.perClient[client] == 0 {
		delete(c.perClient, client)
	}
}

// client is the key under which a connection is counted; empty: a proxy, or an unknown address.
func (c *Connections) client(conn net.Conn) string {
	peer, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return ""
	}
	addr := peer.Addr().Unmap().WithZone("")
	if c.Proxies.trusted(addr) {
		return ""
	}
	return address(addr)
}

// State is the http.Server's ConnState hook.
func (c *Connections) State(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.open[raw(conn)]
	if known == nil { // evicted
		return
	}
	switch state {
	case http.StateActive:
		c.move(known, nil)
	case http.StateIdle:
		c.move(known, c.idle)
	case http.StateClosed, http.StateHijacked:
		c.forget(known)
	}
}

// move puts a connection at the end of a list; nil removes it from its list.
func (c *Connections) move(known *connection, to *list.List) {
	if known.place != nil {
		known.list.Remove(known.place)
	}
	known.list, known.place = to, nil
	if to != nil {
		known.place = to.PushBack(known)
	}
}

func (c *Connections) forget(known *connection) {
	c.move(known, nil)
	delete(c.open, known.Conn)
	extra := max(0, known.requests-1)
	c.extra -= extra
	c.count(known.client, -1-extra)
	if known.http2 {
		c.http2--
	}
}

func (c *Connections) evictAny() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.evict("")
}

// evict closes the connection that has been waiting longest, of this client or (empty) of any. It
// returns false if none is waiting.
func (c *Connections) evict(client string) bool {
	for _, waiting := range []*list.List{c.fresh, c.idle} {
		for e := waiting.Front(); e != nil; e = e.Next() {
			known := e.Value.(*connection)
			if client != "" && known.client != client {
				continue
			}
			c.forget(known)
			known.Close()
			c.metrics.closed.WithLabelValues(map[*list.List]string{c.fresh: "silent", c.idle: "idle"}[waiting]).Inc()
			return true
		}
	}
	return false
}

// refuse answers a connection and closes it. When many are refused at once, some are closed without an
// answer.
func (c *Connections) refuse(conn net.Conn, why error) {
	c.metrics.refuse(why)
	select {
	case c.replies <- struct{}{}:
		go func() {
			defer func() { <-c.replies }()
			defer conn.Close()
			c.Refuse(conn, why)
		}()
	default:
		conn.Close()
	}
}
