package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Answer is everything that a server sent for one request.
type Answer struct {
	Interim []Interim // in order
	Status  int       // 0 if the connection ended before the final answer
	Header  http.Header
	Body    []byte // its beginning
}

// Interim is an answer before the final one (1xx).
type Interim struct {
	Status int
	Header http.Header
}

// largestBody is how much of an answer's body is kept, in bytes.
const largestBody = 64 << 10

// wire sends HTTP/1.1 requests, each over a connection of its own: so it sees all interim answers, in order, and can
// cut a request at any byte.
type wire struct {
	patience time.Duration // the longest that a request may take; a second more for each MiB
	pause    time.Duration // the longest wait for an interim answer, and for the end of a connection that was cut
	settle   time.Duration // the time that a held request has to reach the server's handler
}

// message is a request as it is sent.
type message struct {
	method string
	to     *url.URL
	header []string
	body   []byte
	how    Body
}

// send sends a request and reads the answers. held is the connection, if it is to be kept open; the caller closes it.
func (w wire) send(ctx context.Context, m message) (a Answer, held net.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.patience+time.Duration(len(m.body)>>20)*time.Second)
	defer cancel()
	conn, err := dial(ctx, m.to)
	if err != nil {
		return a, nil, err
	}
	defer func() {
		if held == nil {
			conn.Close()
		}
	}()
	end, _ := ctx.Deadline()
	conn.SetDeadline(end)
	r := &reader{from: bufio.NewReader(conn), method: m.method}
	if _, err := io.WriteString(conn, m.head()); err != nil {
		return a, nil, fmt.Errorf("send the header: %w", err)
	}
	if m.how.Wait {
		conn.SetReadDeadline(time.Now().Add(w.pause))
		err := r.await()
		conn.SetReadDeadline(end)
		if err != nil && !errors.Is(err, errSilent) {
			return r.answer, nil, err
		}
	}
	if m.how.Cut > 0 {
		_, err := conn.Write(m.body[:m.how.Cut])
		if err == nil && m.how.Hold {
			time.Sleep(w.settle)
			return r.answer, conn, nil
		}
		w.cut(conn)
		return r.answer, nil, nil // the answer to a cut request does not matter
	}
	// A server may answer before it has read everything: then only reading tells why sending failed.
	sent := m.send(conn)
	if err := r.finish(); err != nil {
		return r.answer, nil, errors.Join(err, sent)
	}
	return r.answer, nil, nil
}

// cut closes our side of a connection and reads what is still in it: if it were closed with bytes unread it would be
// reset, and the server would lose what it has not read yet.
func (w wire) cut(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		conn.SetReadDeadline(time.Now().Add(w.pause))
		io.Copy(io.Discard, io.LimitReader(conn, largestBody))
	}
}

func dial(ctx context.Context, to *url.URL) (net.Conn, error) {
	port := to.Port()
	if to.Scheme == "https" {
		if port == "" {
			port = "443"
		}
		d := tls.Dialer{Config: &tls.Config{NextProtos: []string{"http/1.1"}}}
		return d.DialContext(ctx, "tcp", net.JoinHostPort(to.Hostname(), port))
	}
	if port == "" {
		port = "80"
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", net.JoinHostPort(to.Hostname(), port))
}

// head returns the request line and the header.
func (m message) head() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", m.method, m.to.RequestURI(), m.to.Host)
	for _, line := range m.header {
		name, value := split(line)
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	switch {
	case m.how.Chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n")
		if name, _ := split(m.how.Trailer); name != "" {
			fmt.Fprintf(&b, "Trailer: %s\r\n", name)
		}
	case len(m.body) > 0 || m.method == "POST" || m.method == "PATCH":
		b.WriteString("Content-Length: " + strconv.Itoa(len(m.body)) + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// send writes the body.
func (m message) send(to io.Writer) error {
	if !m.how.Chunked {
		_, err := to.Write(m.body)
		return err
	}
	var b strings.Builder
	if len(m.body) > 0 {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(m.body), m.body)
	}
	b.WriteString("0\r\n")
	if m.how.Trailer != "" {
		b.WriteString(m.how.Trailer + "\r\n")
	}
	b.WriteString("\r\n")
	_, err := io.WriteString(to, b.String())
	return err
}

// errSilent says that no answer came in time.
var errSilent = errors.New("nothing was answered")

// reader reads a server's answers to one request.
type reader struct {
	from   *bufio.Reader
	method string
	answer Answer
}

// await waits for an answer, and reads it if it is an interim one.
func (r *reader) await() error {
	line, err := r.from.Peek(len("HTTP/1.1 104"))
	if err != nil {
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			return errSilent
		}
		return fmt.Errorf("read the answer: %w", err)
	}
	if line[9] != '1' {
		return nil // the final answer is read by finish
	}
	return r.next()
}

// finish reads to the end of the final answer.
func (r *reader) finish() error {
	for r.answer.Status == 0 {
		if err := r.next(); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
	}
	return nil
}

// next reads one answer, interim or final.
func (r *reader) next() error {
	line, err := r.from.Peek(len("HTTP/1.1 104"))
	if err != nil {
		return err
	}
	if line[9] == '1' {
		text := textproto.NewReader(r.from)
		first, err := text.ReadLine()
		if err != nil {
			return err
		}
		h, err := text.ReadMIMEHeader()
		if err != nil {
			return err
		}
		code, err := strconv.Atoi(strings.Fields(first)[1])
		r.answer.Interim = append(r.answer.Interim, Interim{code, http.Header(h)})
		return err
	}
	res, err := http.ReadResponse(r.from, &http.Request{Method: r.method})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	r.answer.Status, r.answer.Header = res.StatusCode, res.Header
	r.answer.Body, err = io.ReadAll(io.LimitReader(res.Body, largestBody))
	return err
}
