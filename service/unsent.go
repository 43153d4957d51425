package service

import (
	"net"
	"syscall"
)

// maxUnsent is how many bytes of an answer the kernel holds beyond those that are on their way to the client. By
// default it takes megabytes of a download for a client that reads slowly: some hundreds of those use up the memory
// that Linux has for all connections of the machine (net.ipv4.tcp_mem), and it resets other clients' connections. It
// also takes nothing more until a third of them is sent: longer than a slow client has for 128 KiB (WRITE_TIMEOUT).
const maxUnsent = 256 << 10

// boundedListener bounds what is unsent of each connection. The option is set on the connections: Go's listeners are of
// MPTCP, and those do not pass it on.
type boundedListener struct{ net.Listener }

func (l boundedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		boundUnsent(tcp)
	}
	return conn, err
}

// boundUnsent does nothing where it fails: the connection is gone, or there is no such option.
func boundUnsent(conn syscall.Conn) {
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(setUnsent)
	}
}
