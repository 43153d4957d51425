//go:build unix

package db

import (
	"net"
	"syscall"
)

// isReadable reports whether input has arrived on an idle connection: EOF because the server was restarted, or the
// server's message that it closes the connection. It reads nothing. It is called before a connection is reused, so that
// no statement is sent on a dead connection, where it would be unknown whether the statement was executed.
func isReadable(conn net.Conn) bool {
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
	// Not raw.Read: after a slow write pgx may still be reading in the background, and raw.Read would wait for
	// that.
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		nothing = err == syscall.EAGAIN
	})
	return err != nil || !nothing
}
