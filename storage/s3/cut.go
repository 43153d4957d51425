package s3

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/url"
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
	parts, err := c.Parts(ctx, at, m, 0)
	return len(parts) > 0, err
}

// putCut sends the first bytes of a part, ends its side of the connection, and waits until the store has noticed. The
// answer, if there is one, says nothing: what counts is whether the part is there.
func (c *Client) putCut(ctx context.Context, signed storage.SignedPart, begins []byte, size int64) error {
	ctx, cancel := context.WithTimeout(ctx, c.limits.answer)
	defer cancel()
	u, err := url.Parse(signed.URL)
	if err != nil {
		return fmt.Errorf("%w: the presigned URL can't be read", file.ErrStorageWrite)
	}
	conn, err := c.connect(ctx, u)
	if err != nil {
		return fmt.Errorf("send a part that breaks off: %w: %w", file.ErrStorageWrite, err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	w := bufio.NewWriter(conn)
	fmt.Fprintf(w, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", u.RequestURI(), u.Host, size)
	for name, value := range signed.Header {
		fmt.Fprintf(w, "%s: %s\r\n", name, value)
	}
	fmt.Fprintf(w, "\r\n%s", begins)
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("send a part that breaks off: %w: %w", file.ErrStorageWrite, err)
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		if err := half.CloseWrite(); err != nil {
			return fmt.Errorf("send a part that breaks off: %w: %w", file.ErrStorageWrite, err)
		}
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(conn, 64<<10))
	return nil
}

// connect opens a connection to the store of its own.
func (c *Client) connect(ctx context.Context, u *url.URL) (net.Conn, error) {
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	conn, err := c.dial(ctx, "tcp", address)
	if err != nil || u.Scheme != "https" {
		return conn, err
	}
	secure := tls.Client(conn, &tls.Config{ServerName: u.Hostname()})
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}
