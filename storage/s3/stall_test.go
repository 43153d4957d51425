package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/file"
	"holdfast/internal/test/s3test"
)

// A slow store is waited for, however long it takes in all: here longer than a stall may last. Small socket buffers
// make the slowness visible at once.
func TestSlowIsNotStalled(t *testing.T) {
	const stall = 3 * time.Second // nothing happens for so long on no busy machine
	s := s3test.Start(t)
	p := newFaultyProxy(t, s, false, func(s *http.Server) {
		s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
			c.(*net.TCPConn).SetReadBuffer(16 << 10)
			return ctx
		}
	})
	var dialer net.Dialer
	c := p.client(t, s, func(o *Options) {
		o.limits.stallRead, o.limits.stallWrite = stall, stall
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err == nil {
				conn.(*net.TCPConn).SetWriteBuffer(16 << 10)
			}
			return conn, err
		}
	})
	at := file.Location{Bucket: "faults-5", Key: "k"}
	content := random(t, 1<<20)
	if _, err := c.Put(t.Context(), at, "x/y", bytes.NewReader(nil), 0); err != nil {
		t.Fatal(err)
	}
	p.harm("PUT", "", 1, slowly(8<<10, 40*time.Millisecond))
	since := time.Now()
	if _, err := c.Put(t.Context(), at, "x/y", bytes.NewReader(content), 1<<20); err != nil {
		t.Fatal(err)
	}
	if n := len(p.requests()); n != 1 || time.Since(since) < stall {
		t.Errorf("%d tries in %s", n, time.Since(since))
	}
	// So is a slow reader.
	r, err := c.Open(t.Context(), at, "", 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p.harm("", "", 0, nil)
	half := make([]byte, 1<<19)
	if _, err := io.ReadFull(r, half); err != nil {
		t.Fatal(err)
	}
	time.Sleep(stall + time.Second)
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(append(half, rest...), content) || len(p.requests()) != 0 {
		t.Errorf("%d bytes, %v, %d more requests", len(rest), err, len(p.requests()))
	}
}

// The clock is the test's own.
func TestStallConn(t *testing.T) { synctest.Test(t, stallConnStalls) }

func stallConnStalls(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	far.SetDeadline(time.Now().Add(10 * time.Second))
	c := &stallConn{Conn: near, read: 100 * time.Millisecond, write: 100 * time.Millisecond}
	for range 2 { // more than once
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		if n, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) || n != 0 {
			t.Errorf("write: %d %v", n, err)
		}
	}
	// A Read that waits while the other direction moves goes on waiting.
	got := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		got <- err
	}()
	go io.Copy(io.Discard, io.LimitReader(far, 10*stallPiece+1))
	for range 10 {
		if n, err := c.Write(make([]byte, stallPiece)); err != nil || n != stallPiece {
			t.Fatal(n, err)
		}
		time.Sleep(30 * time.Millisecond)
	}
	if n, err := c.Write(make([]byte, 1)); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	far.Write([]byte("x"))
	if err := <-got; err != nil {
		t.Errorf("it waited while bytes moved: %v", err)
	}
}

func TestBackoff(t *testing.T) {
	l := defaultLimits
	for try := 1; try < maxTries; try++ {
		for range 100 {
			d, err := delays(l)(try, io.EOF)
			if most := min(l.backoff<<(try-1), l.maxBackoff); err != nil || d < most/2 || d > most {
				t.Fatalf("try %d: %s %v", try, d, err)
			}
		}
	}
	if l.writing(0) != time.Minute || l.writing(8<<20) != time.Minute+32*time.Second {
		t.Error(l.writing(0), l.writing(8<<20))
	}
}
