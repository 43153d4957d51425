// Package scan asks ClamAV's clamd about the bytes of a file, by its INSTREAM command.
//
// # Errors
//
// file.ErrInfected, with the name of what was found; file.ErrUnavailable when clamd does not
// answer, or not with a verdict: a file that is longer than its StreamMaxLength is not clean.
package scan

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"holdfast/file"
)

// Clamd is where clamd listens.
type Clamd struct {
	network, address string
}

// New returns a Clamd at "host:port" or "unix:/path".
func New(at string) *Clamd {
	if path, ok := strings.CutPrefix(at, "unix:"); ok {
		return &Clamd{"unix", path}
	}
	return &Clamd{"tcp", at}
}

const (
	chunk = 128 << 10 // bytes
	// stall is the longest that clamd may take for a chunk, and verdict for its answer.
	stall   = 30 * time.Second
	verdict = 5 * time.Minute
)

// Scan returns nil if clamd finds nothing in what r gives.
func (c *Clamd) Scan(ctx context.Context, r io.Reader) error {
	said, err := c.ask(ctx, r)
	if err != nil {
		return fmt.Errorf("ask clamd: %w: %w", file.ErrUnavailable, err)
	}
	said = strings.TrimSpace(strings.TrimPrefix(strings.TrimRight(said, "\x00\n"), "stream:"))
	if name, found := strings.CutSuffix(said, " FOUND"); found {
		return file.Refuse(file.ErrInfected, "The file was found to hold %s", name)
	}
	if said != "OK" {
		return fmt.Errorf("ask clamd: %w: it says %q", file.ErrUnavailable, said)
	}
	return nil
}

// ask sends the bytes: chunks, each behind its length in four bytes, and a length of 0.
func (c *Clamd) ask(ctx context.Context, r io.Reader) (string, error) {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, c.network, c.address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write([]byte("zINSTREAM\x00")); err != nil {
		return "", err
	}
	buf := make([]byte, 4+chunk)
	for last := false; !last; {
		n, err := io.ReadFull(r, buf[4:])
		last = err != nil
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return "", err
		}
		binary.BigEndian.PutUint32(buf, uint32(n))
		conn.SetWriteDeadline(time.Now().Add(stall))
		if n > 0 {
			if _, err := conn.Write(buf[:4+n]); err != nil {
				break // it may have said why, such as that this is too much
			}
		}
	}
	_, _ = conn.Write(make([]byte, 4))
	conn.SetReadDeadline(time.Now().Add(verdict))
	said, err := io.ReadAll(io.LimitReader(conn, 4<<10))
	if err != nil && len(said) == 0 {
		return "", err
	}
	return string(said), nil
}
