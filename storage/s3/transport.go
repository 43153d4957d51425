package s3

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"
)

// limits are the times a client has.
type limits struct {
	// Of one call, its retries included.
	ask     time.Duration // a question, and an object's first byte
	write   time.Duration // a write, and more for its bytes: see writing
	patient time.Duration // completing and copying, which take long on some stores

	// Of one try.
	answer     time.Duration // until a question is answered
	stallRead  time.Duration // without a byte from the store that is waited for
	stallWrite time.Duration // without a byte that the store takes

	backoff, maxBackoff time.Duration // between tries
}

var defaultLimits = limits{
	ask: 30 * time.Second, write: time.Minute, patient: 5 * time.Minute,
	answer: 12 * time.Second, stallRead: time.Minute, stallWrite: 30 * time.Second,
	backoff: 200 * time.Millisecond, maxBackoff: 3 * time.Second,
}

// slowest is the rate, in bytes a second, at which a write of many bytes still ends in time.
const slowest = 256 << 10

// writing is the time for a write of size bytes.
func (l limits) writing(size int64) time.Duration {
	return l.write + time.Duration(size/slowest)*time.Second
}

// pace is how patient a transport is.
type pace struct {
	answer      time.Duration // from the request's last byte to the answer's first
	read, write time.Duration // see stallConn
}

func (o Options) dialer() func(ctx context.Context, network, addr string) (net.Conn, error) {
	if o.Dial != nil {
		return o.Dial
	}
	return (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext
}

func (o Options) newTransport(p pace) *http.Transport {
	dial := o.dialer()
	t := &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) { return o.Proxy(r.URL) },
		// With a dialler of its own a transport speaks HTTP/1.1 only, and that is meant: parts
		// that go at the same time need connections of their own, to be fast and to fail alone.
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &stallConn{Conn: conn, read: p.read, write: p.write}, nil
		},
		MaxIdleConnsPerHost:   128,
		IdleConnTimeout:       min(90*time.Second, p.read*3/4), // before an idle connection looks stalled
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: p.answer,
		WriteBufferSize:       32 << 10, // there may be hundreds of connections
		ReadBufferSize:        32 << 10,
		DisableCompression:    true,
	}
	if o.transport != nil {
		o.transport(t)
	}
	return t
}

// stallConn fails with os.ErrDeadlineExceeded when a Read or a Write that waits sees no byte
// move for so long. A transfer that is slow but moves is left alone, however long it takes;
// and so is one whose bytes the program itself is slow to fetch.
type stallConn struct {
	net.Conn
	read, write time.Duration
}

// stallPiece is how many bytes must move within stallConn.write.
const stallPiece = 64 << 10

func (c *stallConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.read)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c *stallConn) Write(b []byte) (n int, err error) {
	for {
		if err := c.SetWriteDeadline(time.Now().Add(c.write)); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(b[n:min(n+stallPiece, len(b))])
		n += m
		if m > 0 {
			// An answer is waited for while the request goes out: that one moves will do.
			c.SetReadDeadline(time.Now().Add(c.read))
		}
		if err != nil || n == len(b) {
			return n, err
		}
	}
}
