package tus

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// patience is how long one request may take.
const patience = 5 * time.Minute

// Conn is one connection. net/http's own client passes each request through two more goroutines and copies its body;
// this one writes the bytes directly, and leaves the processor to the servers that are measured. It is for one
// goroutine.
type Conn struct {
	net     net.Conn
	answers *bufio.Reader
	request []byte // reused
	release func() bool
}

// Dial connects. When ctx ends, the connection is cut.
func Dial(ctx context.Context, address string) (*Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &Conn{net: c, answers: bufio.NewReader(c), release: context.AfterFunc(ctx, func() { c.Close() })}, nil
}

// Close ends the connection.
func (c *Conn) Close() error {
	c.release()
	return c.net.Close()
}

// errEarly says that the server answered before it had read the whole body: the connection can't be reused.
var errEarly = errors.New("the server did not take the whole body")

// do sends a request and reads the answer, whose body is read and closed. header comes in
// pairs. A status other than want is an error.
func (c *Conn) do(method, host, path string, body *Section, want int, header ...string) (http.Header, error) {
	if err := c.net.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	b := append(c.request[:0], method+" "+path+" HTTP/1.1\r\nHost: "+host+"\r\nTus-Resumable: 1.0.0\r\n"...)
	for i := 0; i+1 < len(header); i += 2 {
		b = append(b, header[i]+": "+header[i+1]+"\r\n"...)
	}
	if body != nil {
		b = append(b, "Content-Type: application/offset+octet-stream\r\n"...)
		b = append(b, "Content-Length: "+strconv.FormatInt(body.Len(), 10)+"\r\n"...)
	} else if method == http.MethodPost {
		b = append(b, "Content-Length: 0\r\n"...)
	}
	b = append(b, "\r\n"...)
	c.request = b
	// A small request is sent in one write, as by any client.
	if body != nil && body.Len() <= 32<<10 {
		for body.Len() > 0 {
			piece := body.next()
			b = append(b, piece...)
			body.pos += int64(len(piece))
		}
		c.request = b
	}
	_, sendErr := c.net.Write(b)
	if sendErr == nil && body != nil {
		_, sendErr = body.WriteTo(c.net)
	}
	// A server that refuses says why, perhaps before it closes the connection while bytes still come.
	resp, err := http.ReadResponse(c.answers, &http.Request{Method: method})
	if err != nil {
		return nil, errors.Join(sendErr, fmt.Errorf("read the answer: %w", err))
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case resp.StatusCode != want:
		return nil, fmt.Errorf("answer %s instead of %d: %.500s", resp.Status, want, text)
	case sendErr != nil:
		return nil, fmt.Errorf("%w: %w", errEarly, sendErr)
	}
	return resp.Header, nil
}
