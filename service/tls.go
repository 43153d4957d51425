package service

import (
	"bytes"
	"context"
	"crypto/tls"
	"log"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Limits of HTTP/2.
const (
	// maxStreams is how many requests a connection may have at the same time. Fewer than 100 would make clients wait
	// without need (RFC 9113, 6.5.2). Each beyond the first counts like a connection: see limit.Connections.
	maxStreams = 100
	// streamWindow is how many bytes of a request's body may wait to be read. It bounds how fast one upload can be: two
	// megabytes for each round trip. With less, a client on a fast line waits, and each byte costs more processor time:
	// the body is read in smaller pieces, and the client is told about each (BenchmarkUploadByHTTP2 in internal/e2e).
	streamWindow = 2 << 20
	// connectionWindow is the same for all requests of a connection: an upload that waits for memory must not stop the
	// others beside it.
	connectionWindow = 2 * streamWindow
	// readFrame is the largest frame that is read. Larger frames mean fewer of them.
	readFrame = 256 << 10
)

// openTLS reads the certificate, before anything is started.
func (s *server) openTLS(context.Context) (err error) {
	if !s.config.TLS.On() {
		return nil
	}
	s.certificate, err = openCertificate(s.config.TLS, s.log)
	return err
}

// watchCertificate reloads the certificate when its files change.
func (s *server) watchCertificate(ctx context.Context) {
	if s.certificate == nil {
		return
	}
	stop := inBackground(ctx, s.certificate.watch)
	s.onClose(func() error { stop(); return nil })
}

// maxHTTP2 returns how many connections may speak HTTP/2. Bytes that wait in their windows are memory of this process
// in addition to MEMORY_BUDGET, and may take as much again. Further clients get HTTP/1.1, whose waiting bytes are the
// kernel's.
func maxHTTP2(memory int64) int { return int(max(1, memory/connectionWindow)) }

// tlsConfig returns the settings of TLS, and those for connections that must speak HTTP/1.1.
func (s *server) tlsConfig() (both, one *tls.Config) {
	one = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.certificate.get, NextProtos: []string{"http/1.1"}}
	both = one.Clone()
	both.NextProtos = []string{"h2", "http/1.1"}
	both.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(hello.SupportedProtos, "h2") && !s.connections.AdmitHTTP2(hello.Conn) {
			return one, nil
		}
		return nil, nil
	}
	return both, one
}

// http2Config returns the limits of HTTP/2.
func (s *server) http2Config() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          maxStreams,
		MaxReceiveBufferPerStream:     streamWindow,
		MaxReceiveBufferPerConnection: connectionWindow,
		MaxReadFrameSize:              readFrame,
		// For a client that reads nothing at all, not even the frames that end its requests.
		WriteByteTimeout: s.config.WriteTimeout,
	}
}

// serve answers requests until the listener is closed.
func (s *server) serve() error {
	listener := s.connections.Listener(s.listener)
	if s.certificate == nil {
		return s.http.Serve(listener)
	}
	return s.http.ServeTLS(listener, "", "")
}

// handshakeLogInterval is how often failed handshakes are logged at most: each scanner causes some.
const handshakeLogInterval = time.Minute

// handshakeLog filters net/http's log: failed handshakes are counted instead of logged one by one.
type handshakeLog struct {
	log *slog.Logger
	handshakeMetrics

	mu    sync.Mutex
	told  time.Time
	since int // failures since the last line
}

func newHandshakeLog(l *slog.Logger) *handshakeLog {
	return &handshakeLog{log: l, handshakeMetrics: newHandshakeMetrics()}
}

// logger returns the logger for http.Server.ErrorLog.
func (h *handshakeLog) logger() *log.Logger { return log.New(h, "", 0) }

// Write implements io.Writer; each call is one line of the log.
func (h *handshakeLog) Write(line []byte) (int, error) {
	text := string(bytes.TrimSpace(line))
	if !bytes.HasPrefix(line, []byte("http: TLS handshake error")) &&
		!bytes.HasPrefix(line, []byte("http2: server: error reading preface")) {
		h.log.Warn(text)
		return len(line), nil
	}
	h.failed.Inc()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.since++
	if now := time.Now(); now.Sub(h.told) >= handshakeLogInterval {
		h.log.Info("handshakes failed", "count", h.since, "last", text)
		h.told, h.since = now, 0
	}
	return len(line), nil
}
