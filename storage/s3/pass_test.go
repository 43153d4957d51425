package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/s3test"
	"holdfast/storage"
)

// sockets are both ends of a TCP connection.
func sockets(t *testing.T) (here, there *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a.(*net.TCPConn), b.(*net.TCPConn)
}

func TestPass(t *testing.T) {
	s := s3test.Start(t)
	c := newFaultyProxy(t, s, false).client(t, s) // which keeps connections, unlike the server
	at := storage.Layout{BucketPrefix: "pass"}.Object(1, file.NewID())
	content := random(t, 3<<20)
	if _, err := c.Put(t.Context(), at, "", bytes.NewReader(content), int64(len(content))); err != nil {
		t.Fatal(err)
	}
	open := func(offset, length int64) *rangeBody {
		t.Helper()
		r, err := c.Read(t.Context(), at, "", offset, length)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return r.(*rangeBody)
	}
	all := func(r *rangeBody, w io.Writer) {
		t.Helper()
		for r.left > 0 {
			if n, err := r.Pass(w, 700_000, time.Minute); err != nil || n == 0 {
				t.Fatalf("%d bytes, %v", n, err)
			}
		}
	}

	t.Run("to a socket, and through memory", func(t *testing.T) {
		here, there := sockets(t)
		got := make(chan []byte)
		go func() { b, _ := io.ReadAll(there); got <- b }()
		all(open(5, 2<<20), here)
		here.Close()
		if !bytes.Equal(<-got, content[5:5+2<<20]) {
			t.Error("other bytes came through the socket")
		}
		var b bytes.Buffer
		r := open(0, 3<<20)
		if _, err := io.CopyN(&b, r, 1000); err != nil { // some are read before
			t.Fatal(err)
		}
		all(r, &b)
		if !bytes.Equal(b.Bytes(), content) {
			t.Error("other bytes came")
		}
	})
	t.Run("the taker goes away", func(t *testing.T) {
		here, there := sockets(t)
		there.SetLinger(0)
		there.Close()
		r := open(0, 3<<20)
		var err error
		for err == nil && r.left > 0 {
			_, err = r.Pass(here, 100_000, time.Minute)
		}
		if !errors.Is(err, storage.ErrTaker) {
			t.Errorf("%v", err)
		}
	})
	t.Run("the taker stands still", func(t *testing.T) {
		here, _ := sockets(t)
		here.SetWriteBuffer(16 << 10)
		here.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		_, err := open(0, 3<<20).Pass(here, 3<<20, time.Minute)
		if !errors.Is(err, storage.ErrTaker) {
			t.Errorf("%v", err)
		}
	})
	t.Run("wires are used again", func(t *testing.T) {
		waiting := func() int {
			c.reader.wires.mu.Lock()
			defer c.reader.wires.mu.Unlock()
			return len(c.reader.wires.idle)
		}
		for range 20 {
			r := open(0, 1000)
			all(r, io.Discard)
			r.Close()
		}
		before := waiting()
		// As a handler does it: its context ends before the body is closed.
		for _, readAll := range []func(io.Reader){
			func(r io.Reader) { io.ReadFull(r, make([]byte, 1000)) },
			func(r io.Reader) { all(r.(*rangeBody), io.Discard) },
		} {
			ctx, cancel := context.WithCancel(t.Context())
			r, err := c.Read(ctx, at, "", 0, 1000)
			if err != nil {
				t.Fatal(err)
			}
			readAll(r)
			cancel()
			r.Close()
			if n := waiting(); n != before {
				t.Errorf("%d wires wait after a request had all its bytes, %d did before", n, before)
			}
			if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("behind the end: %d bytes, %v", n, err)
			}
		}
		r := open(0, 3<<20)
		if n := waiting(); n != before-1 {
			t.Errorf("%d wires wait, %d did before", n, before)
		}
		r.Close() // not read to its end: it can't be used again
		if n := waiting(); n != before-1 {
			t.Errorf("%d wires wait, after one was dropped of %d", n, before)
		}
	})
}
