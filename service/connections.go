package service

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"holdfast/config"
	"holdfast/limit"
	"holdfast/problem"
)

const (
	// ownDescriptors are the file descriptors that the program needs regardless of its clients: the database (SQLite:
	// up to 30, PostgreSQL: 17), Redis, the webhooks, the listeners.
	ownDescriptors = 64
	// descriptorsPerClient are the file descriptors of one client: its connection, and what its request opens. That is
	// a connection to the store; of the embedded store, both ends of it and the object.
	descriptorsPerClient = 4
	// maxDerived is the largest limit that is derived from the limit of open files: connections take
	// memory, too.
	maxDerived = 10_000
	// refusalTimeout is how long a client may take to receive its refusal.
	refusalTimeout = time.Second
)

// openConnections makes the limits of connections.
func (s *server) openConnections() {
	c := s.config
	if room := connectionsFor(openFiles()); c.Connections.Most > room {
		s.log.Warn("MAX_CONNECTIONS exceeds what the limit of open files allows", "max_connections", c.Connections.Most,
			"allowed", room)
	}
	s.connections = limit.NewConnections(limit.ConnectionSettings{
		Most:      func() int { return maxConnections(c.Connections) },
		PerClient: c.Connections.PerClient, Proxies: c.TrustedProxies, Refuse: s.refuseConnection,
		HTTP2: maxHTTP2(c.MemoryBudget),
	})
}

// maxConnections returns how many connections clients may have at the same time.
func maxConnections(c config.Connections) int {
	return cmp.Or(c.Most, connectionsFor(openFiles()))
}

// openFiles returns the process's limit of file descriptors, which Go has already raised as far as possible.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // the usual one
	}
	return limit.Cur
}

// connectionsFor returns how many connections this many file descriptors suffice for.
func connectionsFor(files uint64) int {
	if files <= ownDescriptors+descriptorsPerClient {
		return 1
	}
	return int(min((files-ownDescriptors)/descriptorsPerClient, maxDerived))
}

// refuseConnection answers on a connection before any request was read, in HTTP/1.1, which every client speaks. It then
// reads what the client has sent meanwhile: if a connection is closed with unread bytes, its client loses the answer.
func (s *server) refuseConnection(conn net.Conn, why error) {
	conn.SetDeadline(time.Now().Add(refusalTimeout))
	to, closeWrite := conn, func() error { return nil }
	if s.certificate != nil {
		_, one := s.tlsConfig()
		secure := tls.Server(conn, one)
		to, closeWrite = secure, secure.CloseWrite
	}
	if _, err := io.WriteString(to, refusal(why)); err != nil || closeWrite() != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok && tcp.CloseWrite() == nil {
		io.CopyN(io.Discard, conn, 64<<10)
	}
}

// refusal is the answer to a connection that is refused.
func refusal(why error) string {
	p := problem.Of(why)
	body, header := p.Body(), http.Header{}
	p.Header(header)
	header.Set("Connection", "close")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	var answer strings.Builder
	fmt.Fprintf(&answer, "HTTP/1.1 %d %s\r\n", p.Status, http.StatusText(p.Status))
	header.Write(&answer)
	answer.WriteString("\r\n")
	answer.Write(body)
	return answer.String()
}
