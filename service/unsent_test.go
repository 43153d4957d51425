package service

import (
	"net"
	"os"
	"testing"
	"time"
)

// The kernel takes little of a download for a client that does not read. Without a bound it takes 4 MiB on Linux.
func TestBoundUnsent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	conn, err := boundedListener{listener}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	if n, err := conn.Write(make([]byte, 64<<20)); n > 1<<20 || !os.IsTimeout(err) {
		t.Errorf("%d bytes were taken for a client that does not read (%v)", n, err)
	}
}
