package service

import (
	"fmt"
	"io"
	"log/slog"
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

// openConnections returns the limits of connections.
func openConnections(c config.Config, log *slog.Logger) *limit.Connections {
	most := func() int { return c.Connections.Most }
	if c.Connections.Most == 0 {
		most = func() int { return connectionsFor(openFiles()) }
	} else if room := connectionsFor(openFiles()); c.Connections.Most > room {
		log.Warn("MAX_CONNECTIONS exceeds what the limit of open files allows", "max_connections", c.Connections.Most,
			"allowed", room)
	}
	return limit.NewConnections(limit.ConnectionSettings{
		Most: most, PerClient: c.Connections.PerClient, Proxies: c.TrustedProxies, Refuse: refuseConnection,
	})
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

// refuseConnection answers on a connection before any request was read. It then reads what the client has sent
// meanwhile: if a connection is closed with unread bytes, its client loses the answer.
func refuseConnection(conn net.Conn, why error) {
	conn.SetDeadline(time.Now().Add(refusalTimeout))
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
	if _, err := io.WriteString(conn, answer.String()); err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok && tcp.CloseWrite() == nil {
		io.CopyN(io.Discard, conn, 64<<10)
	}
}
