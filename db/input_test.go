//go:build unix

package db

import (
	"net"
	"syscall"
	"testing"
	"time"
)

// isReadable does not wait for pgx, which may be reading the connection in the background.
func TestInputOfAConnectionThatIsRead(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	noErr(t, err)
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	noErr(t, err)
	defer conn.Close()
	raw, err := conn.(syscall.Conn).SyscallConn()
	noErr(t, err)
	reading, looked := make(chan struct{}), make(chan struct{})
	go raw.Read(func(uintptr) bool { // like a Read that waits
		close(reading)
		<-looked
		return true
	})
	<-reading
	has := make(chan bool, 1)
	go func() { has <- isReadable(conn) }()
	select {
	case input := <-has:
		if input {
			t.Error("there is input, and nothing was sent")
		}
	case <-time.After(30 * time.Second):
		t.Error("it waits for what comes")
	}
	close(looked)
}
