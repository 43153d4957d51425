package deploytest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"
)

// creation is a request that begins a resumable upload and has all of its bytes, as a phone sends it.
type creation struct {
	*io.PipeWriter
	told chan http.Header    // the interim answers
	end  chan *http.Response // nil if the request failed
	cut  func()
}

func (c client) begin(t *testing.T, size int) *creation {
	t.Helper()
	read, write := io.Pipe()
	t.Cleanup(func() { write.Close() })
	n := &creation{PipeWriter: write, told: make(chan http.Header, 1000), end: make(chan *http.Response, 1)}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	n.cut = func() { cancel(); write.CloseWithError(io.ErrClosedPipe); <-n.end }
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			if code == 104 {
				n.told <- http.Header(h)
			}
			return nil
		}})
	r, err := http.NewRequestWithContext(ctx, "POST", c.base+"/upload", read)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = int64(size)
	r.Header = http.Header{"Authorization": {"Bearer " + c.token}, "Content-Type": {"video/mp4"},
		"Upload-Draft-Interop-Version": {"8"}, "Upload-Complete": {"?1"}}
	go func() {
		defer close(n.end)
		defer read.Close() // whoever still writes is not heard
		if res, err := c.http.Do(r); err == nil {
			res.Body.Close()
			n.end <- res
		}
	}()
	return n
}

// next is the next interim answer; nil if the request has ended without one.
func (n *creation) next() http.Header {
	select {
	case h := <-n.told:
		return h
	case <-n.end:
		return nil
	}
}

// patchDraft sends the rest of an upload.
func (c client) patchDraft(t *testing.T, at string, offset int, rest []byte) *http.Response {
	t.Helper()
	res, _ := c.do(t, "PATCH", at, header{"Upload-Draft-Interop-Version": "8", "Upload-Complete": "?1",
		"Content-Type": "application/partial-upload", "Upload-Offset": strconv.Itoa(offset)}, bytes.NewReader(rest))
	return res
}

// Through Caddy and HAProxy the address of an upload comes before its bytes, through HAProxy offsets follow. When the
// line is cut, the client goes on there.
func TestInterimAnswersThroughProxies(t *testing.T) {
	for _, f := range []front{caddy, haproxy} {
		for _, protocol := range []string{"HTTP/2", "HTTP/1.1"} {
			t.Run(f.name+" "+protocol, func(t *testing.T) {
				c := f.put(t)
				if protocol == "HTTP/1.1" {
					c = c.speaking1()
				}
				body := make([]byte, 20<<20)
				fill(body)
				n := c.begin(t, len(body))
				first := n.next()
				at, acked := first.Get("Location"), 0
				if !strings.HasPrefix(at, c.base+"/tus/") || first.Get("Upload-Limit") == "" {
					t.Fatalf("before the first byte: %v", first)
				}
				n.Write(body[:15<<20])
				if f.interim == "on" {
					acked, _ = strconv.Atoi(n.next().Get("Upload-Offset"))
					if acked <= 0 {
						t.Error("no offset is told on the way")
					}
				}
				n.cut()
				offset := c.offset(t, at, max(1, acked), draft)
				if res := c.patchDraft(t, at, offset, body[offset:]); res.StatusCode/100 != 2 {
					t.Fatalf("the rest, from %d: %s", offset, res.Status)
				}
				c.downloads(t, strings.Replace(at, "/tus/", "/", 1), body)
			})
		}
	}
}

// speaking1 is the client over HTTP/1.1.
func (c client) speaking1() client {
	transport := c.http.Transport.(*http.Transport).Clone()
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	transport.ForceAttemptHTTP2, transport.TLSClientConfig.NextProtos = false, nil
	transport.DisableKeepAlives = true
	c.http = &http.Client{Transport: transport}
	return c
}

// nginx is sent no interim answer. A client that begins with a request of its own for the address, or has it from an
// answer, goes on by HEAD all the same.
func TestResumableUploadThroughNginx(t *testing.T) {
	c := nginx.put(t)
	body := make([]byte, 20<<20)
	fill(body)
	n := c.begin(t, len(body))
	n.Write(body)
	n.Close()
	switch res := <-n.end; {
	case res == nil || res.StatusCode != http.StatusCreated:
		t.Fatalf("in one request: %v", res)
	case len(n.told) > 0:
		t.Errorf("an interim answer: %v", <-n.told)
	default:
		c.downloads(t, res.Header.Get("Content-Location"), body)
	}

	res, _ := c.do(t, "POST", c.base+"/upload", header{"Upload-Draft-Interop-Version": "8", "Upload-Complete": "?0",
		"Content-Type": "video/mp4", "Upload-Length": strconv.Itoa(len(body))}, nil)
	at := res.Header.Get("Location")
	if res.StatusCode != http.StatusCreated || !strings.HasPrefix(at, c.base+"/tus/") {
		t.Fatalf("an empty creation: %s %v", res.Status, res.Header)
	}
	c.cutLine(t, at, 0, body, header{"Upload-Draft-Interop-Version": "8", "Upload-Complete": "?1",
		"Content-Type": "application/partial-upload"})
	offset := c.offset(t, at, 1, draft)
	if res := c.patchDraft(t, at, offset, body[offset:]); res.StatusCode/100 != 2 {
		t.Fatalf("the rest, from %d: %s", offset, res.Status)
	}
	c.downloads(t, strings.Replace(at, "/tus/", "/", 1), body)
}

// What is said of nginx is so: it takes an interim answer for the answer. If this fails nginx has learnt it, and
// OPERATIONS.md and deploy/nginx.conf should say so.
func TestInterimAnswersBreakNginx(t *testing.T) {
	c := nginx.put(t, "INTERIM_THROUGH_PROXY=on")
	n := c.begin(t, 5)
	n.Write([]byte("hello"))
	n.Close()
	select {
	case res := <-n.end:
		if res != nil && res.StatusCode == http.StatusCreated {
			t.Error("nginx passes the answer on that follows an interim one")
		}
	case h := <-n.told:
		// The final answer never comes: what follows is the interim one's body, for nginx.
		t.Logf("nginx has sent %v", h)
	}
	n.cut()
}

// What is said of Debian 12's Caddy is so: it ends a request at the sixth interim answer. If this fails there is a
// newer one: OPERATIONS.md and deploy/caddy should say so.
func TestInterimAnswersThatOldCaddyTakes(t *testing.T) {
	c := caddy.put(t, "INTERIM_THROUGH_PROXY=on")
	part := make([]byte, 10<<20)
	fill(part)
	n := c.begin(t, 10*len(part))
	for i := range 5 {
		if n.next() == nil {
			t.Fatalf("%d interim answers came through Caddy", i)
		}
		n.Write(part)
	}
	go func() { // Caddy answers when it can't send the body any more
		for range 5 {
			n.Write(part)
		}
	}()
	if h := n.next(); h != nil {
		t.Errorf("a sixth interim answer came through Caddy: %v", h)
	}
	n.cut()
}
