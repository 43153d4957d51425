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

// passed is an object that is passed to sockets and writers.
type passed struct {
	*Client
	at      file.Location
	content []byte
}

func newPassed(t *testing.T) *passed {
	t.Helper()
	s := s3test.Start(t)
	p := &passed{Client: newFaultyProxy(t, s, false).client(t, s), // the proxy keeps connections, unlike the server
		content: random(t, 3<<20), at: storage.Layout{BucketPrefix: "pass"}.Object(1, file.NewID())}
	if _, err := p.Put(t.Context(), p.at, "", bytes.NewReader(p.content), int64(len(p.content))); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *passed) open(t *testing.T, offset, length int64) *rangeBody {
	t.Helper()
	r, err := p.Read(t.Context(), p.at, "", offset, length)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r.(*rangeBody)
}

// idle returns the number of idle connections.
func (p *passed) idle() int {
	p.reader.wires.mu.Lock()
	defer p.reader.wires.mu.Unlock()
	return len(p.reader.wires.idle)
}

// passAll passes all of r to w, in several calls.
func passAll(t *testing.T, r *rangeBody, w io.Writer) {
	t.Helper()
	for r.left > 0 {
		if n, err := r.Pass(w, 700_000, time.Minute); err != nil || n == 0 {
			t.Fatalf("%d bytes, %v", n, err)
		}
	}
}

func TestPass(t *testing.T) {
	p := newPassed(t)
	t.Run("to a socket", func(t *testing.T) {
		here, there := sockets(t)
		got := make(chan []byte)
		go func() { b, _ := io.ReadAll(there); got <- b }()
		passAll(t, p.open(t, 5, 2<<20), here)
		here.Close()
		if !bytes.Equal(<-got, p.content[5:5+2<<20]) {
			t.Error("other bytes came through the socket")
		}
	})
	t.Run("through memory, after some bytes were read", func(t *testing.T) {
		var b bytes.Buffer
		r := p.open(t, 0, 3<<20)
		if _, err := io.CopyN(&b, r, 1000); err != nil {
			t.Fatal(err)
		}
		passAll(t, r, &b)
		if !bytes.Equal(b.Bytes(), p.content) {
			t.Error("other bytes came")
		}
	})
	t.Run("the client goes away", func(t *testing.T) {
		here, there := sockets(t)
		there.SetLinger(0)
		there.Close()
		r := p.open(t, 0, 3<<20)
		var err error
		for err == nil && r.left > 0 {
			_, err = r.Pass(here, 100_000, time.Minute)
		}
		if !errors.Is(err, storage.ErrWriter) {
			t.Errorf("%v", err)
		}
	})
	t.Run("the client stands still", func(t *testing.T) {
		here, _ := sockets(t)
		here.SetWriteBuffer(16 << 10)
		here.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		_, err := p.open(t, 0, 3<<20).Pass(here, 3<<20, time.Minute)
		if !errors.Is(err, storage.ErrWriter) {
			t.Errorf("%v", err)
		}
	})
}

// A connection is reused after a body that was read to its end, and only then.
func TestPassKeepsConnections(t *testing.T) {
	p := newPassed(t)
	for range 20 {
		r := p.open(t, 0, 1000)
		passAll(t, r, io.Discard)
		r.Close()
	}
	before := p.idle()
	// As in a handler: its context ends before the body is closed.
	for _, readAll := range []func(io.Reader){
		func(r io.Reader) { io.ReadFull(r, make([]byte, 1000)) },
		func(r io.Reader) { passAll(t, r.(*rangeBody), io.Discard) },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := p.Read(ctx, p.at, "", 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		readAll(r)
		cancel()
		r.Close()
		if n := p.idle(); n != before {
			t.Errorf("%d connections wait after a request had all its bytes, %d did before", n, before)
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("behind the end: %d bytes, %v", n, err)
		}
	}
	r := p.open(t, 0, 3<<20)
	if n := p.idle(); n != before-1 {
		t.Errorf("%d connections wait, %d did before", n, before)
	}
	r.Close() // not read to its end: the connection can't be reused
	if n := p.idle(); n != before-1 {
		t.Errorf("%d connections wait, after one was dropped of %d", n, before)
	}
}
