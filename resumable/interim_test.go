package resumable_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/test/uploadtest"
)

// line is a connection of its own, so that the test sees interim answers as they arrive.
type line struct {
	net.Conn
	in *bufio.Reader
	t  *testing.T
}

func (c client) dial() line {
	c.T.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL, "http://"))
	if err != nil {
		c.T.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	c.T.Cleanup(func() { conn.Close() })
	return line{conn, bufio.NewReader(conn), c.T}
}

// begin sends the head of a request.
func (l line) begin(c client, start string, header ...string) {
	l.t.Helper()
	head := start + "\r\nHost: x\r\n"
	if c.version != "" {
		head += "Upload-Draft-Interop-Version: " + c.version + "\r\n"
	}
	if _, err := io.WriteString(l, head+strings.Join(header, "\r\n")+"\r\n\r\n"); err != nil {
		l.t.Fatal(err)
	}
}

// answer reads the next answer, which may be an interim one.
func (l line) answer() (int, http.Header) {
	l.t.Helper()
	res, err := http.ReadResponse(l.in, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	if res.StatusCode >= 200 {
		io.Copy(io.Discard, res.Body)
	}
	return res.StatusCode, res.Header
}

// Section 5: the upload's URL arrives before any byte was sent, with the version that was asked for.
func TestInterimAnswerAtTheBeginning(t *testing.T) {
	eachVersion(t, func(c client) {
		l := c.dial()
		l.begin(c, "POST /files/tus/ HTTP/1.1", "Upload-Complete: ?1", "Content-Length: 10")
		status, h := l.answer()
		if status != 104 || h.Get("Upload-Draft-Interop-Version") != c.version || h.Get("Location") == "" ||
			!strings.Contains(h.Get("Upload-Limit"), "max-size=") || h.Get("Upload-Offset") != "" {
			c.T.Fatalf("%d %v", status, h)
		}
		io.WriteString(l, "0123456789")
		if status, h := l.answer(); status != 201 || h.Get("Upload-Complete") != "?1" {
			c.T.Errorf("%d %v", status, h)
		}
	})
}

// No interim answer is sent where it could do harm: to HTTP/1.0, through a proxy, with a version that was not asked
// for.
func TestNoInterimAnswer(t *testing.T) {
	eachVersion(t, func(c client) {
		for name, request := range map[string][]string{
			"HTTP/1.0": {"POST /files/tus/ HTTP/1.0"}, "a proxy": {"POST /files/tus/ HTTP/1.1", "X-Forwarded-For: 192.0.2.1"},
		} {
			l := c.dial()
			l.begin(c, request[0], append(request[1:], "Upload-Complete: ?1", "Content-Length: 1")...)
			io.WriteString(l, "x")
			if status, h := l.answer(); status != 201 {
				c.T.Errorf("%s: %d %v", name, status, h)
			}
		}
		l := c.dial()
		l.begin(client{World: c.World, version: "11"}, "POST /files/tus/ HTTP/1.1", "Upload-Complete: ?1",
			"Content-Length: 1")
		io.WriteString(l, "x")
		status, h := l.answer()
		if status != 412 || h.Get("Upload-Draft-Interop-Version") != "3, 4, 5, 6, 7, 8, 9, 10" {
			c.T.Errorf("an unknown version: %d %v", status, h)
		}
	})
}

// Section 4.4.2: an interim answer contains an offset only when all bytes before it are durable. A client that is cut
// off then finds at least that offset.
func TestInterimAnswersTellDurableOffsets(t *testing.T) {
	eachVersion(t, func(c client) {
		l := c.dial()
		const size = 6 * uploadtest.PartSize
		l.begin(c, "POST /files/tus/ HTTP/1.1", "Upload-Complete: ?1", fmt.Sprintf("Content-Length: %d", size))
		_, h := l.answer()
		at := h.Get("Location")
		body := uploadtest.Content(size)
		if _, err := l.Write(body[:size-1]); err != nil {
			c.T.Fatal(err)
		}
		status, h := l.answer()
		progress, err := strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
		if status != 104 || err != nil || progress <= 0 || progress > size-1 || h.Get("Location") != "" {
			c.T.Fatalf("%d %v", status, h)
		}
		if u, err := c.Rows.UploadRow(c.T.Context(), uploadtest.ID(at)); err != nil || u.Offset < progress {
			c.T.Errorf("told %d, committed is %+v %v", progress, u, err)
		}
		l.Close()
		a := c.do("HEAD", at, nil)
		if a.offset() < progress {
			c.T.Fatalf("told %d, then %d %v", progress, a.status, a.header)
		}
		c.Check(c.file(c.patch(at, int(a.offset()), "?1", bytes.NewReader(body[a.offset():]))), body)
	})
}

// Section 4.6: a new request for an upload ends the running one, and the bytes that arrived are kept.
func TestNewRequestEndsTheRunningOne(t *testing.T) {
	eachVersion(t, func(c client) {
		for _, method := range []string{"HEAD", "PATCH", "DELETE"} {
			l := c.dial()
			l.begin(c, "POST /files/tus/ HTTP/1.1", "Upload-Complete: ?1", "Content-Length: 10")
			_, h := l.answer()
			at := h.Get("Location")
			io.WriteString(l, "01234")
			switch method {
			case "HEAD":
				if a := c.do("HEAD", at, nil); a.status != http.StatusNoContent || a.offset() < 0 || a.offset() > 5 {
					c.T.Errorf("%d %v", a.status, a.header)
				}
			case "PATCH":
				a := c.patch(at, 10, "?0", nil)
				if a.status != http.StatusConflict {
					c.T.Errorf("%d %v", a.status, a.header)
				}
			case "DELETE":
				if a := c.do("DELETE", at, nil); a.status != http.StatusNoContent {
					c.T.Errorf("%d %v", a.status, a.header)
				}
			}
			if status, h := l.answer(); status < 400 || h.Get("Upload-Complete") == "?1" {
				c.T.Errorf("%s: the first request got %d %v", method, status, h)
			}
		}
	})
}
