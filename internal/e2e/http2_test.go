package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// stream is a request of HTTP/2 whose body the test sends.
type stream struct {
	*io.PipeWriter
	answered chan answer // closed without one if the request failed
	cancel   func()      // resets the stream
}

// open begins a request on the server's one connection. It returns when all bytes of body but the last were sent.
func (s secure) open(t *testing.T, method, url string, body []byte, headers ...string) stream {
	t.Helper()
	read, write := io.Pipe()
	var sent io.Reader
	if len(body) > 0 {
		sent = read
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, method, url, sent)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	if n, err := strconv.ParseInt(r.Header.Get("Content-Length"), 10, 64); err == nil {
		r.ContentLength = n
	}
	st := stream{write, make(chan answer, 1), cancel}
	t.Cleanup(func() { cancel(); write.Close() })
	go func() {
		defer close(st.answered)
		defer read.Close() // a request that is still sending gets an error
		res, err := s.lines.RoundTrip(r)
		if err != nil {
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		st.answered <- answer{status: res.StatusCode, header: res.Header, body: b}
	}()
	if len(body) == 0 {
		return st
	}
	write.Write(body[:len(body)-1])
	write.Write(body[len(body)-1:]) // the transport takes it when those before are on their way
	return st
}

// patching is a PATCH of an upload of the given length.
func (s secure) patching(t *testing.T, at string, length int, body []byte) stream {
	t.Helper()
	return s.open(t, "PATCH", at, body, "Tus-Resumable: 1.0.0", octets, "Upload-Offset: 0",
		"Content-Length: "+strconv.Itoa(length))
}

// The life of a file by HTTP/2: creation, chunks, ranges, a link, a form, the list, the deletion.
func TestFileByHTTP2(t *testing.T) {
	t.Parallel()
	s := startSecure(t)
	res, err := client.Get(s.base + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.Proto != "HTTP/2.0" {
		t.Errorf("spoken: %s", res.Proto)
	}
	content := random(9*mebi + 5)
	at := s.create(t, len(content))
	if !strings.HasPrefix(at, s.base+"/tus/") {
		t.Errorf("Location: %s", at)
	}
	for offset := 0; offset < len(content); offset += 4 * mebi {
		if a := s.patch(t, at, offset, content[offset:min(offset+4*mebi, len(content))]); a.status != 204 {
			t.Fatal(a)
		}
	}
	file := s.do(t, "HEAD", at, nil).header.Get("Content-Location")
	s.holds(t, file, content)
	if a := s.do(t, "GET", file, nil, "Range: bytes=4000000-5999999"); a.status != 206 ||
		!bytes.Equal(a.body, content[4000000:6000000]) {
		t.Errorf("a range: %d, %d bytes", a.status, len(a.body))
	}
	form := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--b--\r\n"
	if a := s.do(t, "POST", "/files/upload", form, "Content-Type: multipart/form-data; boundary=b",
		"Tus-Resumable: -"); a.status != 200 || !strings.Contains(string(a.body), s.base+"/") {
		t.Errorf("a form: %v", a)
	}
	for size, want := range map[int]int{60 << 10: http.StatusOK, 80 << 10: 0} { // the client knows the limit by SETTINGS
		if a := <-s.open(t, "GET", s.base+"/healthz", nil, "X-Large: "+strings.Repeat("x", size)).answered; a.status != want {
			t.Errorf("%d bytes of headers: %v, want %d", size, a, want)
		}
	}
	if a := s.do(t, "DELETE", file, nil); a.status != 204 {
		t.Errorf("DELETE: %v", a)
	}
}

// Interim answers arrive before the body was sent: first the upload's URL, and then offsets that are durable.
func TestInterimAnswersByHTTP2(t *testing.T) {
	t.Parallel()
	s := startSecure(t)
	var mu sync.Mutex
	var told []http.Header
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		mu.Lock()
		defer mu.Unlock()
		if code == 104 {
			told = append(told, http.Header(h))
		}
		return nil
	}}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(told) }
	content := random(40 * mebi)
	read, write := io.Pipe()
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "POST", s.base+"/tus/", read)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = int64(len(content))
	r.Header = http.Header{"Authorization": {"Bearer " + s.token}, "Upload-Draft-Interop-Version": {"8"},
		"Upload-Complete": {"?1"}}
	go func() {
		s.eventually("the first comes before the body", func() bool { return count() > 0 })
		write.Write(content[:30*mebi])
		s.eventually("one with an offset comes before the rest", func() bool { return count() > 1 })
		write.Write(content[30*mebi:])
		write.Close()
	}()
	res, err := s.lines.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 201 || res.ProtoMajor != 2 {
		t.Fatal(res)
	}
	if at := told[0].Get("Location"); !strings.HasPrefix(at, s.base+"/tus/") || told[0].Get("Upload-Limit") == "" {
		t.Errorf("the first: %v", told[0])
	}
	last := 0
	for _, h := range told[1:] {
		offset, err := strconv.Atoi(h.Get("Upload-Offset"))
		if err != nil || offset <= last || h.Get("Location") != "" || h.Get("Upload-Draft-Interop-Version") != "8" {
			t.Errorf("then: %v", h)
		}
		last = offset
	}
	s.holds(t, res.Header.Get("Content-Location"), content)
}

// After a stream that its client resets, or a connection that breaks, no bytes that arrived are lost.
func TestCutByHTTP2(t *testing.T) {
	t.Parallel()
	s := startSecure(t)
	content := random(9 * mebi)
	for name, cut := range map[string]func(stream){
		"the stream":     func(st stream) { st.cancel() },
		"the body":       func(st stream) { st.CloseWithError(errors.New("gone")) },
		"the connection": func(stream) { s.breakLines() },
	} {
		at, before := s.create(t, len(content)), strings.Count(s.logged(), "method=PATCH")
		cut(s.patching(t, at, len(content), content[:5*mebi]))
		// Not before: HEAD would end it where it is.
		s.eventually("the request ends", func() bool { return strings.Count(s.logged(), "method=PATCH") > before })
		offset := s.offset(t, at)
		least := 5*mebi - 1
		if name == "the connection" { // the kernel drops what waits: at most the stream's window
			least -= 2 * mebi
		}
		if offset < least {
			t.Errorf("%s was cut: %d bytes are kept", name, offset)
		}
		if a := s.patch(t, at, offset, content[offset:]); a.status != 204 {
			t.Fatalf("%s: %v", name, a)
		}
		s.holds(t, s.do(t, "HEAD", at, nil).header.Get("Content-Location"), content)
	}
	if strings.Contains(s.logged(), "level=ERROR") {
		t.Errorf("a client's end is no error:\n%s", s.logged())
	}
}

// A silent stream ends by READ_TIMEOUT; the others of its connection go on, during that time and after it.
func TestSilentStreamBesideOthers(t *testing.T) {
	t.Parallel()
	s := startSecure(t, "READ_TIMEOUT=2s")
	silent := make([]stream, 3)
	for i := range silent {
		silent[i] = s.patching(t, s.create(t, mebi), mebi, random(1000))
	}
	content := random(9 * mebi)
	file, _ := s.upload(t, content)
	s.holds(t, file, content)
	for i, st := range silent {
		if a := <-st.answered; a.status != 503 || a.header.Get("Upload-Offset") != "1000" {
			t.Errorf("silent %d: %v", i, a)
		}
	}
	file, _ = s.upload(t, content)
	s.holds(t, file, content)
}

// Refusals that need no body are sent at once, and the connection stays open for other requests.
func TestEarlyAnswersByHTTP2(t *testing.T) {
	t.Parallel()
	s := startSecure(t, "MAX_FILE_SIZE=1000000", "READ_TIMEOUT=1h")
	at := s.create(t, 1000)
	busy := s.patching(t, at, 1000, random(10))
	for name, c := range map[string]struct {
		method, path string
		headers      []string
		want         int
	}{
		"without a token": {"POST", "/upload", []string{"Authorization: -", "Content-Type: multipart/form-data; boundary=b"},
			401},
		"a form too large": {"POST", "/upload", []string{"Content-Type: multipart/form-data; boundary=b",
			"Content-Length: 9000000"}, 413},
		"too large":      {"POST", "/tus/", []string{"Tus-Resumable: 1.0.0", octets, "Upload-Length: 9000000"}, 413},
		"another offset": {"PATCH", at[len(s.base):], []string{"Tus-Resumable: 1.0.0", octets, "Upload-Offset: 7"}, 409},
		"encoded":        {"PATCH", at[len(s.base):], []string{"Content-Encoding: gzip"}, 415},
		"a wrong method": {"PUT", "/upload", nil, 405},
	} {
		st := s.open(t, c.method, s.base+c.path, []byte("x"), c.headers...)
		if a, ok := <-st.answered; !ok || a.status != c.want {
			t.Errorf("%s: %v %v, want %d", name, ok, a, c.want)
		}
	}
	busy.cancel()
}
