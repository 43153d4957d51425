package s3

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"
)

// limits are the time limits of calls.
type limits struct {
	// Of a call, including its retries.
	ask     time.Duration // a call without a body, and the time to an object's first byte
	write   time.Duration // a write, besides the time for its bytes: see writing
	patient time.Duration // completing and copying, which take long on some stores

	// Of one attempt.
	answer     time.Duration // until a request without a body is answered
	stallRead  time.Duration // a read without progress
	stallWrite time.Duration // a write without progress

	backoff, maxBackoff time.Duration // between attempts
}

var defaultLimits = limits{
	ask: 30 * time.Second, write: time.Minute, patient: 5 * time.Minute,
	answer: 12 * time.Second, stallRead: time.Minute, stallWrite: 30 * time.Second,
	backoff: 200 * time.Millisecond, maxBackoff: 3 * time.Second,
}

// slowest is the least rate of a write that does not exceed its time limit, in bytes a second.
const slowest = 256 << 10

// writing is the time limit of a write of size bytes.
func (l limits) writing(size int64) time.Duration {
	return l.write + time.Duration(size/slowest)*time.Second
}

// pace are the time limits of a transport.
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
		// A transport with its own dial function speaks HTTP/1.1 only. That is intended: parts that are sent at the
		// same time need separate connections, to be fast and to fail separately.
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

// stallConn fails with os.ErrDeadlineExceeded if a pending Read or Write makes no progress for a time. A transfer
// that is slow but makes progress may take any time, and so may one whose bytes this program is slow to read.
type stallConn struct {
	net.Conn
	read, write time.Duration
}

// stallPiece is the number of bytes that must be written within stallConn.write.
const stallPiece = 64 << 10

func (c *stallConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.read)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// CloseWrite ends our side of the connection; an error if the connection can't do that.
func (c *stallConn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

func (c *stallConn) Write(b []byte) (n int, err error) {
	for {
		if err := c.SetWriteDeadline(time.Now().Add(c.write)); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(b[n:min(n+stallPiece, len(b))])
		n += m
		if m > 0 {
			// A Read waits for the answer at the same time: progress of the request counts for it.
			c.SetReadDeadline(time.Now().Add(c.read))
		}
		if err != nil || n == len(b) {
			return n, err
		}
	}
}
