//go:build unix

package db

import (
	"net"
	"syscall"
)

// hasInput reports whether something came on a connection that waits for nothing: its end, where the server was
// restarted, or the server's word that it ends it. Nothing is read. It is asked before a connection is used again,
// so that no statement is sent where it can't be told afterwards whether it was executed.
func hasInput(conn net.Conn) bool {
	if over, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = over.NetConn()
	}
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	var nothing bool
	// Not raw.Read: pgx may be reading in the background since a write that took long, and Read waits for that.
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		nothing = err == syscall.EAGAIN
	})
	return err != nil || !nothing
}
