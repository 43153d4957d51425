package deploytest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"holdfast/internal/test/testproc"
)

// client speaks tus 1.0.0 with net/http only. Without a token it is anonymous.
type client struct {
	base, token   string
	http          *http.Client
	upstream      int    // the program's port
	log, proxyLog string // the paths of what the program, and the proxy, log
}

type header map[string]string

// What a request speaks.
var (
	tus   = header{"Tus-Resumable": "1.0.0"}
	draft = header{"Upload-Draft-Interop-Version": "8"}
)

// do sends a request and reads the whole answer.
func (c client) do(t *testing.T, method, address string, h header, body io.Reader) (*http.Response, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for name, value := range h {
		req.Header.Set(name, value)
	}
	res, err := c.http.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, address, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, address, err)
	}
	return res, b
}

func (c client) create(t *testing.T, size int) *http.Response {
	t.Helper()
	name := base64.StdEncoding.EncodeToString([]byte("through a proxy.bin"))
	res, _ := c.do(t, "POST", c.base+"/tus/", header{"Tus-Resumable": "1.0.0",
		"Upload-Length": strconv.Itoa(size), "Upload-Metadata": "filename " + name}, nil)
	return res
}

func (c client) patch(t *testing.T, location string, offset int, body []byte) *http.Response {
	t.Helper()
	res, _ := c.do(t, "PATCH", location, header{"Tus-Resumable": "1.0.0", "Upload-Offset": strconv.Itoa(offset),
		"Content-Type": "application/offset+octet-stream"}, bytes.NewReader(body))
	return res
}

// cutLine announces a chunk by PATCH, sends half of it and goes away without a word.
func (c client) cutLine(t *testing.T, location string, offset int, chunk []byte, h header) {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	line, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	if u.Scheme == "https" {
		trust := c.http.Transport.(*http.Transport).TLSClientConfig.Clone()
		trust.ServerName, trust.NextProtos = u.Hostname(), []string{"http/1.1"}
		line = tls.Client(line, trust)
	}
	fmt.Fprintf(line, "PATCH %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nUpload-Offset: %d\r\n"+
		"Content-Length: %d\r\n", u.Path, u.Host, c.token, offset, len(chunk))
	for name, value := range h {
		fmt.Fprintf(line, "%s: %s\r\n", name, value)
	}
	fmt.Fprint(line, "\r\n")
	if _, err := line.Write(chunk[:len(chunk)/2]); err != nil {
		t.Fatal(err)
	}
	// The proxy, and the program, have to read it before they hear of the end: what waits then may be dropped.
	for end := time.Now().Add(time.Minute); testproc.InFlight(t, c.port(t, u))+testproc.InFlight(t, c.upstream) > 0; {
		if time.Now().After(end) {
			t.Fatal("the bytes are not read")
		}
		time.Sleep(10 * time.Millisecond) // until they have
	}
	line.Close()
}

// offset asks where an upload can be gone on with, until that is at least so far: what is under way may still arrive.
// Had a proxy collected a body before passing it on, nothing of it would.
func (c client) offset(t *testing.T, at string, least int, speaks header) int {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		res, _ := c.do(t, "HEAD", at, speaks, nil)
		if n, err := strconv.Atoi(res.Header.Get("Upload-Offset")); err == nil && n >= least {
			return n
		}
		if time.Now().After(end) {
			t.Fatalf("HEAD: %s %v, want an offset from %d on", res.Status, res.Header, least)
		}
	}
}

func (client) port(t *testing.T, u *url.URL) int {
	t.Helper()
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
