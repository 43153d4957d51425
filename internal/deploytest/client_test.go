package deploytest

import (
	"bytes"
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
type client struct{ base, token string }

type header map[string]string

var tus = header{"Tus-Resumable": "1.0.0"}

// do sends a request and reads the whole answer.
func (c client) do(t *testing.T, method, address string, h header, body io.Reader) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for name, value := range h {
		req.Header.Set(name, value)
	}
	res, err := (&http.Client{Timeout: time.Minute}).Do(req)
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
	name := base64.StdEncoding.EncodeToString([]byte("through nginx.bin"))
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

// cutLine announces a chunk, sends half of it and closes the connection. It returns the offset at which the client can
// continue, which must be higher than before: if nginx had buffered the body, nothing would have arrived.
func (c client) cutLine(t *testing.T, location string, offset int, chunk []byte) int {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	line, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(line, "PATCH %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nTus-Resumable: 1.0.0\r\n"+
		"Upload-Offset: %d\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: %d\r\n\r\n",
		u.Path, u.Host, c.token, offset, len(chunk))
	if _, err := line.Write(chunk[:len(chunk)/2]); err != nil {
		t.Fatal(err)
	}
	front, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	// nginx must read it before it notices the end
	for mine := line.LocalAddr().(*net.TCPAddr).Port; testproc.Unread(t, front, mine) > 0; {
		time.Sleep(10 * time.Millisecond) // until it has read it
	}
	line.Close()

	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		res, _ := c.do(t, "HEAD", location, tus, nil)
		if now, err := strconv.Atoi(res.Header.Get("Upload-Offset")); err == nil && now > offset {
			return now
		}
		if time.Now().After(end) {
			t.Fatalf("HEAD after the cut: %s, Upload-Offset %q, begun at %d: nothing of the chunk arrived",
				res.Status, res.Header.Get("Upload-Offset"), offset)
		}
	}
}
