package e2e

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/test/pgtest"
	"holdfast/internal/test/s3test"
)

// urlSession uploads like Apple's URLSession: the whole file in one request that says so; when the connection is lost,
// it requests the offset, and sends the rest in one request again.
type urlSession struct {
	draft
	t       *testing.T
	rand    *rand.Rand
	content []byte
	at      string // the upload's URL; empty: none is known yet
	acked   int    // the highest offset in an interim answer
	sent    int    // no byte after this offset was sent
	cuts    int
	// way sends the content from an offset on, or a part of it; nil: over a plain connection.
	way    func(u *urlSession, offset int) (status int, h http.Header)
	protos map[string]int // how often which protocol was spoken, by way
}

// run sends a file, and returns its URL.
func (u *urlSession) run() string {
	for end := time.Now().Add(5 * patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		offset := 0
		if u.at != "" {
			if offset = u.offset(); offset < 0 || offset == len(u.content) {
				return strings.Replace(u.at, "/tus/", "/", 1)
			}
		}
		switch status, h := u.send(offset); {
		case status/100 == 2:
			return h.Get("Content-Location")
		case status != 0 && status < 500 && status != http.StatusConflict && status != http.StatusLocked:
			u.t.Errorf("version %q, from %d: %d %v", u.version, offset, status, h)
			return ""
		}
	}
	u.t.Errorf("version %q: the upload never ends", u.version)
	return ""
}

// offset requests the offset. It must not be below an acknowledged one, or bytes would be sent twice. -1 is an error.
func (u *urlSession) offset() int {
	var a answer
	var err error
	for end, pause := time.Now().Add(patience), growing(); time.Now().Before(end); pause() {
		a, err = u.ask("HEAD", u.at, nil, "Tus-Resumable: -", "Upload-Draft-Interop-Version: "+u.version)
		if err == nil && a.status/100 == 2 {
			break
		}
	}
	n, bad := strconv.Atoi(a.header.Get("Upload-Offset"))
	if err != nil || bad != nil || n < u.acked || n > u.sent {
		u.t.Errorf("version %q: HEAD: %v %v; acknowledged %d, sent %d", u.version, a, err, u.acked, u.sent)
		return -1
	}
	return n
}

// head is the header of the request that sends everything from an offset on.
func (u *urlSession) head(offset int) string {
	start := []string{"POST /files/upload", "PUT /files/film.mp4", "POST /files/tus/"}[u.rand.IntN(3)]
	lines := u.headers(true, "Authorization: Bearer "+u.token, "Content-Type: video/mp4")
	if u.at != "" {
		start = "PATCH " + u.at[strings.Index(u.at, "/files/"):]
		lines = u.headers(true, "Authorization: Bearer "+u.token, "Upload-Offset: "+strconv.Itoa(offset),
			"Content-Type: application/partial-upload")
	}
	head := fmt.Sprintf("%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: %d\r\n", start, u.port,
		len(u.content)-offset)
	for _, line := range lines {
		if !strings.HasSuffix(line, ": -") && !strings.HasSuffix(line, "Version: ") {
			head += line + "\r\n"
		}
	}
	return head + "\r\n"
}

// send sends everything from an offset on, or cuts the connection somewhere. The status is 0 if there was no answer.
func (u *urlSession) send(offset int) (int, http.Header) {
	if u.way != nil {
		return u.way(u, offset)
	}
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", u.port), patience)
	if err != nil {
		return 0, nil // the service is being started again
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	head, rest, cut, hard := u.head(offset), u.content[offset:], len(u.content)-offset, u.rand.IntN(2) == 0
	if u.rand.IntN(3) > 0 {
		cut = u.rand.IntN(len(rest) + 1)
		u.cuts++
	}
	u.sent = max(u.sent, offset+cut)
	var writing sync.WaitGroup
	defer writing.Wait()
	defer conn.Close()
	writing.Go(func() {
		io.WriteString(conn, head)
		conn.Write(rest[:cut])
		if line := conn.(*net.TCPConn); cut < len(rest) && hard {
			line.SetLinger(0) // what is on its way is lost
			line.Close()
		} else if cut < len(rest) {
			line.CloseWrite()
		}
	})
	for in := bufio.NewReader(conn); ; {
		res, err := http.ReadResponse(in, nil)
		switch {
		case err != nil:
			return 0, nil
		case res.StatusCode >= 200:
			return res.StatusCode, res.Header
		case res.StatusCode == 104:
			u.interim(res.Header)
		}
	}
}

// interim records the offset in an interim answer.
func (u *urlSession) interim(h http.Header) {
	if at := h.Get("Location"); at != "" {
		u.at = at
	}
	if h.Get("Upload-Draft-Interop-Version") != u.version {
		u.t.Errorf("version %q: 104 %v", u.version, h)
	}
	if n, err := strconv.Atoi(h.Get("Upload-Offset")); err == nil {
		if n < u.acked || n > len(u.content) {
			u.t.Errorf("version %q: 104 at %d after %d", u.version, n, u.acked)
		}
		u.acked = n
	}
}

// appleVersions are the versions of iOS and macOS, and the protocol of the future RFC.
var appleVersions = [...]string{"3", "5", "6", "8", ""}

// A client like URLSession, whose connection is cut at random, ends up with whole files, and sends no byte again that
// an interim answer acknowledged.
func TestURLSession(t *testing.T) {
	t.Parallel()
	s, seed := start(t), rand.Uint64()
	t.Logf("seed %d", seed)
	runURLSessions(t, s, seed, func(*urlSession) {})
}

// runURLSessions uploads files of several sizes by each version that Apple's systems speak, over lines that are cut.
// with completes a session before it runs.
func runURLSessions(t *testing.T, s *server, seed uint64, with func(*urlSession)) {
	t.Helper()
	cuts, acked := 0, 0
	for i, version := range appleVersions {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		for _, size := range []int{0, 1000, 9*mebi + r.IntN(9*mebi), 20 * mebi} {
			u := &urlSession{draft: draft{s, version}, t: t, rand: r, content: random(size)}
			with(u)
			if url := u.run(); t.Failed() {
				return
			} else if s.holds(t, url, u.content); u.acked > 0 {
				acked++
			}
			cuts += u.cuts
		}
	}
	t.Logf("%d cuts; in %d uploads offsets were acknowledged on the way", cuts, acked)
	if cuts == 0 || acked == 0 {
		t.Error("the test saw nothing of what it is about")
	}
}

// The same, while the service is killed again and again: what a 104 acknowledged is there after each start.
func TestURLSessionAndKill9(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]func(*testing.T) []string{
		"SQLite":  func(*testing.T) []string { return nil },
		"servers": func(t *testing.T) []string { return servers(pgtest.Start(t), s3test.Start(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, seed := start(t, settings(t)...), rand.Uint64()
			if name == "servers" {
				s.token = s.run("token", "create", "--user", "1", "--account", "1")
			}
			t.Logf("seed %d", seed)
			killed(t, s, seed)
		})
	}
}

// killed runs one client for each version while the service is killed, until all have their file.
func killed(t *testing.T, s *server, seed uint64) {
	clients, urls := make([]*urlSession, len(appleVersions)), make([]string, len(appleVersions))
	var running sync.WaitGroup
	for i, version := range appleVersions {
		clients[i] = &urlSession{draft: draft{s, version}, t: t, rand: rand.New(rand.NewPCG(seed, uint64(i))),
			content: random(20 * mebi)}
		running.Go(func() { urls[i] = clients[i].run() })
	}
	ended := make(chan struct{})
	go func() { running.Wait(); close(ended) }()
	r, kills := rand.New(rand.NewPCG(seed, 99)), 0
	for over := false; !over && kills < 10; kills++ {
		select {
		case <-ended:
			over = true
		case <-time.After(time.Duration(r.Int64N(int64(500 * time.Millisecond)))):
		}
		s.kill9()
		s.restart()
	}
	<-ended
	for i, url := range urls {
		if !t.Failed() {
			s.holds(t, url, clients[i].content)
		}
	}
	t.Logf("%d kills", kills)
}
