package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// cutBody is a body that breaks off after some of its bytes: the stream is reset, its request canceled, or the
// connection closed.
type cutBody struct {
	io.Reader
	breakOff func() error
}

func (b *cutBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && b.breakOff != nil {
		err = b.breakOff()
	}
	return n, err
}

// overTLS sends the requests of a urlSession, by the protocol that the transport speaks.
func overTLS(s secure, lines *http.Transport) func(*urlSession, int) (int, http.Header) {
	return func(u *urlSession, offset int) (int, http.Header) {
		rest := u.content[offset:]
		cut, breakOff := len(rest), (func() error)(nil)
		ctx, cancel := context.WithTimeout(u.t.Context(), patience)
		defer cancel()
		if u.rand.IntN(3) > 0 {
			cut = u.rand.IntN(len(rest) + 1)
			u.cuts++
		}
		if cut < len(rest) {
			breakOff = []func() error{
				func() error { return errors.New("gone") },
				func() error { cancel(); return ctx.Err() },
				func() error { s.breakLines(); return io.ErrUnexpectedEOF },
			}[u.rand.IntN(3)]
		}
		u.sent = max(u.sent, offset+cut)
		var mu sync.Mutex
		ended := false
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			mu.Lock()
			defer mu.Unlock()
			if code == 104 && !ended {
				u.interim(http.Header(h))
			}
			return nil
		}}
		defer func() { mu.Lock(); defer mu.Unlock(); ended = true }()
		r, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), "POST", s.base+"/upload", nil)
		if err != nil {
			u.t.Error(err)
			return 0, nil
		}
		u.fill(r, offset)
		r.Body, r.ContentLength = io.NopCloser(&cutBody{bytes.NewReader(rest[:cut]), breakOff}), int64(len(rest))
		res, err := lines.RoundTrip(r)
		if err != nil {
			return 0, nil
		}
		defer res.Body.Close()
		u.protos[res.Proto]++
		return res.StatusCode, res.Header
	}
}

// fill makes r the request that head writes.
func (u *urlSession) fill(r *http.Request, offset int) {
	lines := strings.Split(strings.TrimSpace(u.head(offset)), "\r\n")
	method, path, _ := strings.Cut(lines[0], " ")
	r.Method, r.URL.Path = method, strings.Fields(path)[0]
	for _, line := range lines[1:] {
		if name, value, _ := strings.Cut(line, ": "); name != "Host" && name != "Content-Length" {
			r.Header.Set(name, value)
		}
	}
}

// The same over TLS, by HTTP/2 and by HTTP/1.1: streams are reset, requests canceled, connections closed.
func TestURLSessionByTLS(t *testing.T) {
	t.Parallel()
	s, seed := startSecure(t), rand.Uint64()
	t.Logf("seed %d", seed)
	one := s.lines.Clone()
	one.Protocols = new(http.Protocols)
	one.Protocols.SetHTTP1(true)
	one.ForceAttemptHTTP2, one.TLSClientConfig = false, s.authority.Trust()
	t.Cleanup(one.CloseIdleConnections)
	protos := map[string]int{}
	for _, lines := range []*http.Transport{s.lines, one} {
		runURLSessions(t, s.server, seed, func(u *urlSession) { u.way, u.protos = overTLS(s, lines), protos })
	}
	if protos["HTTP/2.0"] == 0 || protos["HTTP/1.1"] == 0 {
		t.Errorf("spoken: %v", protos)
	}
}
