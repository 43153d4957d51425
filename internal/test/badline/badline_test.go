package badline

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/testproc"
)

// echo is an upstream that sends back what it receives.
func echo(t *testing.T) string {
	t.Helper()
	return testproc.Listen(t, func(c net.Conn) {
		io.Copy(struct{ io.Writer }{c}, c)
		c.(*net.TCPConn).CloseWrite()
	})
}

// call opens a connection over the line.
func call(t *testing.T, l *Line) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	return c.(*net.TCPConn)
}

// send sends b and EOF, and returns the answer and the time that it took.
func send(c *net.TCPConn, b []byte) ([]byte, time.Duration, error) {
	begun := time.Now()
	go func() {
		c.Write(b)
		c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	return got, time.Since(begun), err
}

func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i >> 8)
	}
	return b
}

// A fault that only delays loses no bytes.
func TestSlowLines(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault Fault
		least time.Duration
	}{
		{"good", Fault{}, 0},
		// to the upstream and back
		{"late", Fault{Latency: 50 * time.Millisecond, Jitter: 20 * time.Millisecond}, 100 * time.Millisecond},
		{"narrow", Fault{Rate: 1_000_000}, 100 * time.Millisecond},
		{"in slices", Fault{Slice: 1000, Pause: 100 * time.Microsecond}, 0},
		{"ends late", Fault{SlowClose: 50 * time.Millisecond}, 100 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := New(t, echo(t))
			l.Spoil(Both, c.fault)
			b := content(120_000)
			got, took, err := send(call(t, l), b)
			if err != nil || !bytes.Equal(got, b) || took < c.least {
				t.Errorf("%d bytes of %d came after %v: %v", len(got), len(b), took, err)
			}
		})
	}
}

func TestLimit(t *testing.T) {
	l := New(t, echo(t))
	b := content(4_000_000) // the client still sends when its connection ends
	l.Spoil(Down, Fault{Limit: 70_001})
	if got, _, _ := send(call(t, l), b); !bytes.Equal(got, b[:70_001]) {
		t.Errorf("%d bytes came down", len(got))
	}
	l.Spoil(Up, Fault{Limit: 70_001}) // in addition to the fault of the other direction
	if got, _, _ := send(call(t, l), b); len(got) > 70_001 || !bytes.HasPrefix(b, got) {
		t.Errorf("%d bytes came down", len(got))
	}
	l.Mend()
	if got, _, err := send(call(t, l), b); err != nil || !bytes.Equal(got, b) {
		t.Errorf("mended: %d bytes came, %v", len(got), err)
	}
}

func TestReset(t *testing.T) {
	l := New(t, echo(t))
	c := call(t, l)
	l.Spoil(Down, Fault{Reset: true})
	if _, _, err := send(c, content(10)); !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
}

// After a fault with Once the line is good again.
func TestOnce(t *testing.T) {
	for name, f := range map[string]Fault{"reset": {Reset: true, Once: true}, "silence": {Silence: true, Once: true}} {
		l := New(t, echo(t))
		l.Spoil(Down, f)
		if got, _, _ := send(call(t, l), content(10)); len(got) > 0 {
			t.Errorf("%s: %d bytes came", name, len(got))
		}
		if got, _, err := send(call(t, l), content(10)); err != nil || len(got) != 10 {
			t.Errorf("after the %s: %d bytes came, %v", name, len(got), err)
		}
	}
}

// While a line is silent nothing arrives, not even EOF; after the silence the connections of that time end.
func TestSilence(t *testing.T) {
	l := New(t, echo(t))
	asks, idle, ends := call(t, l), call(t, l), call(t, l)
	one := make([]byte, 1)
	for _, c := range []net.Conn{asks, idle, ends} { // wait until they are connected
		c.Write(one)
		if _, err := io.ReadFull(c, one); err != nil {
			t.Fatal(err)
		}
	}
	l.Spoil(Both, Fault{Silence: true})
	asks.Write(one)
	ends.CloseWrite() // the echo would answer this
	for _, c := range []net.Conn{asks, ends} {
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := c.Read(one); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("not silent: %v", err)
		}
	}
	l.Mend()
	for _, c := range []net.Conn{asks, idle, ends} {
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := c.Read(one); n > 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("it goes on: %d, %v", n, err)
		}
	}
	if got, _, err := send(call(t, l), content(10)); err != nil || len(got) != 10 {
		t.Errorf("mended: %d bytes came, %v", len(got), err)
	}
}

func TestCut(t *testing.T) {
	l := New(t, echo(t))
	c := call(t, l)
	one := make([]byte, 1)
	c.Write(one)
	io.ReadFull(c, one)
	l.Cut()
	if _, err := c.Read(one); err == nil {
		t.Error("it is not cut")
	}
	if _, err := net.Dial("tcp", l.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("it takes connections: %v", err)
	}
	if err := l.Restore(); err != nil {
		t.Fatal(err)
	}
	if got, _, err := send(call(t, l), content(10)); err != nil || len(got) != 10 {
		t.Errorf("restored: %d bytes came, %v", len(got), err)
	}
}

func TestUpstreamGone(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	if got, _, _ := send(call(t, New(t, gone.Addr().String())), content(10)); len(got) > 0 {
		t.Errorf("%d bytes came", len(got))
	}
}

// Faults come and go while peers leave in the middle and readers do not read: nothing blocks.
func TestPeersLeaveWhileFaultsChange(t *testing.T) {
	l := New(t, echo(t))
	b := content(1 << 20)
	var peers sync.WaitGroup
	for i := range 8 {
		peers.Go(func() {
			for range 20 {
				c, err := net.Dial("tcp", l.Addr())
				if err != nil {
					continue // the line is cut
				}
				c.SetDeadline(time.Now().Add(time.Minute))
				go c.Write(b)
				io.CopyN(io.Discard, c, int64(i)<<14)
				c.Close()
			}
		})
	}
	still := call(t, l)
	go still.Write(b)
	over := make(chan struct{})
	go func() { peers.Wait(); close(over) }()
	for i := 0; ; i++ {
		select {
		case <-over:
			l.Mend()
			l.Cut()
			return
		default:
		}
		switch i % 5 {
		case 0:
			l.Spoil(Both, Fault{Rate: 50_000_000})
		case 1:
			l.Spoil(Down, Fault{Limit: 100_000})
		case 2:
			l.Spoil(Up, Fault{Silence: true})
		case 3:
			l.Mend()
		case 4:
			l.Cut()
			if err := l.Restore(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
