package limit

import (
	"context"
	"net"
	"net/http"
)

// With HTTP/2 one connection carries many requests at the same time. Each of them takes what a connection's request
// takes, so each beyond the first is counted like a connection.

type connectionKey struct{}

// Context is the http.Server's ConnContext hook: it lets Begin know the connection.
func (c *Connections) Context(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, raw(conn))
}

// raw is the connection that was accepted, below TLS.
func raw(conn net.Conn) net.Conn {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return secure.NetConn()
	}
	return conn
}

// Begin counts a request until end is called. Over the limits it returns file.ErrTooMany or file.ErrUnavailable, as for
// a connection.
func (c *Connections) Begin(r *http.Request) (end func(), err error) {
	conn, ok := r.Context().Value(connectionKey{}).(net.Conn)
	if r.ProtoMajor < 2 || !ok {
		return func() {}, nil // it has its connection for itself
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.open[conn]
	if known == nil { // it was closed
		return func() {}, nil
	}
	if known.requests > 0 {
		if err := c.makeRoom(known.client); err != nil {
			c.metrics.refuse(err)
			return nil, err
		}
		c.extra++
		c.count(known.client, 1)
	}
	known.requests++
	return func() { c.end(known) }, nil
}

// end forgets a request.
func (c *Connections) end(known *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[known.Conn] != known { // the connection was closed, and its requests with it
		return
	}
	if known.requests--; known.requests > 0 {
		c.extra--
		c.count(known.client, -1)
	}
}

// AdmitHTTP2 reports whether a connection may speak HTTP/2, before it does. Of more than ConnectionSettings.HTTP2 the
// others must speak HTTP/1.1.
func (c *Connections) AdmitHTTP2(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.open[conn]
	if known == nil || known.http2 || c.http2 >= c.HTTP2 {
		return known != nil && known.http2
	}
	known.http2 = true
	c.http2++
	return true
}
