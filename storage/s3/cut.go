package s3

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// takesCutParts reports whether the store keeps a part whose body broke off, as if it were whole: versitygw 1.8 fills
// it with zeros. With a checksum in the request a store finds out.
func (c *Client) takesCutParts(ctx context.Context, at file.Location, sums bool) (taken bool, err error) {
	m, err := c.BeginMultipart(ctx, at, "application/octet-stream", !sums)
	if err != nil {
		return false, err
	}
	defer func() {
		if aborted := c.Abort(context.WithoutCancel(ctx), at, m.ID); err == nil {
			err = aborted
		}
	}()
	// Servers read short bodies as a whole, and long ones while they store them.
	whole := bytes.Repeat([]byte("x"), 1<<20)
	put := storage.PartPut{Multipart: m, Number: 1, Size: int64(len(whole)), TTL: time.Minute}
	if m.Sums {
		sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(whole))
		put.CRC32 = base64.StdEncoding.EncodeToString(sum)
	}
	signed, err := c.PartSigner("")(ctx, at, put)
	if err == nil {
		err = c.putCut(ctx, signed, whole[:len(whole)/2], put.Size)
	}
	if err != nil {
		return false, err
	}
	return c.awaitPart(ctx, at, m)
}

// awaitPart reports whether a multipart upload has a part a moment later: something between us and the store may have
// ended its connection only after ours.
func (c *Client) awaitPart(ctx context.Context, at file.Location, m file.Multipart) (there bool, err error) {
	for try := 1; try <= 5; try++ {
		parts, err := c.Parts(ctx, at, m, 0)
		if err != nil || len(parts) > 0 {
			return len(parts) > 0, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(c.limits.maxBackoff / 15): // 1 s together
		}
	}
	return false, ctx.Err()
}

// putCut sends the first bytes of a part, ends its side of the connection, and waits until the store has noticed. The
// answer, if there is one, says nothing: what counts is whether the part is there. It takes the way of all requests,
// through a proxy if there is one.
func (c *Client) putCut(ctx context.Context, signed storage.SignedPart, begins []byte, size int64) error {
	ctx, cancel := context.WithTimeout(ctx, c.limits.answer)
	defer cancel()
	body := &cutBody{begins: bytes.NewReader(begins), over: make(chan struct{})}
	t := c.plain.Transport.(*http.Transport).Clone()
	defer t.CloseIdleConnections()
	t.DisableKeepAlives = true
	t.WriteBufferSize = 1 // what was written is sent before the connection ends
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		body.conn = conn
		return conn, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, signed.URL, body)
	if err != nil {
		return fmt.Errorf("%w: the presigned URL can't be read", file.ErrStorageWrite)
	}
	r.ContentLength = size
	for name, value := range signed.Header {
		r.Header.Set(name, value)
	}
	resp, err := (&http.Client{Transport: t}).Do(r)
	close(body.over)
	if err == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
		resp.Body.Close()
	}
	if !body.cut.Load() {
		// Not the error itself: it has the URL, with its signature.
		return fmt.Errorf("send a part that breaks off: %w: the store does not take it", file.ErrStorageWrite)
	}
	return nil
}

// cutBody is a body that ends its side of the connection in place of its last bytes, and then waits for the end of the
// request.
type cutBody struct {
	begins *bytes.Reader
	conn   net.Conn // on which the request is sent
	over   chan struct{}
	cut    atomic.Bool
}

func (b *cutBody) Read(p []byte) (int, error) {
	if n, _ := b.begins.Read(p); n > 0 {
		return n, nil
	}
	if half, ok := b.conn.(interface{ CloseWrite() error }); ok {
		b.cut.Store(true) // before it is: the store may answer at once
		if half.CloseWrite() != nil {
			b.cut.Store(false)
		}
	}
	<-b.over
	return 0, io.ErrUnexpectedEOF
}

// Close implements io.Closer.
func (b *cutBody) Close() error { return nil }
