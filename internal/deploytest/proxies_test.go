package deploytest

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
)

// A file goes up in chunks through each proxy, with the line cut in the middle of one, and comes back whole and in
// ranges. The proxy keeps nothing of it for itself.
func TestUploadAndDownloadThroughProxies(t *testing.T) {
	eachFront(t, nil, func(t *testing.T, f front, c client) {
		body := make([]byte, 20<<20+123)
		fill(body)
		location := c.uploadWithACut(t, body)
		id := location[strings.LastIndex(location, "/")+1:]
		head, _ := c.do(t, "HEAD", location, tus, nil)
		if head.Header.Get("Upload-Offset") != strconv.Itoa(len(body)) || f.secure != (head.ProtoMajor == 2) {
			t.Errorf("HEAD: %s %s, Upload-Offset %q", head.Proto, head.Status, head.Header.Get("Upload-Offset"))
		}
		c.downloads(t, c.base+"/"+id, body)
		c.do(t, "GET", c.base+"/"+id+"?signature=secret-in-a-query", nil, nil)

		log, err := os.ReadFile(c.proxyLog)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(log), "temporary file") {
			t.Errorf("it buffered on its disk:\n%s", log)
		}
		if strings.Contains(string(log), c.token) || strings.Contains(string(log), "secret-in-a-query") {
			t.Errorf("a secret is in the proxy's log:\n%s", log)
		}
		if !strings.Contains(string(log), "/files/tus/"+id) {
			t.Errorf("the requests are not in the proxy's log:\n%s", log)
		}
	})
}

// uploadWithACut uploads body in chunks of 8 MiB. The line breaks in the second one.
func (c client) uploadWithACut(t *testing.T, body []byte) (location string) {
	t.Helper()
	const chunk = 8 << 20
	created := c.create(t, len(body))
	location = created.Header.Get("Location")
	if created.StatusCode != http.StatusCreated || !strings.HasPrefix(location, c.base+"/tus/") {
		t.Fatalf("create: %s, Location %q", created.Status, location)
	}
	if res := c.patch(t, location, 0, body[:chunk]); res.StatusCode != http.StatusNoContent {
		t.Fatalf("first chunk: %s", res.Status)
	}
	c.cutLine(t, location, chunk, body[chunk:2*chunk], header{"Tus-Resumable": "1.0.0",
		"Content-Type": "application/offset+octet-stream"})
	offset := c.offset(t, location, chunk+1, tus)
	t.Logf("the line was cut; Holdfast kept %d of the bytes of the second chunk", offset-chunk)

	var last *http.Response
	for offset < len(body) {
		end := min(offset+chunk, len(body))
		last = c.patch(t, location, offset, body[offset:end])
		if last.StatusCode != http.StatusNoContent || last.Header.Get("Upload-Offset") != strconv.Itoa(end) {
			t.Fatalf("chunk at %d: %s, Upload-Offset %q", offset, last.Status, last.Header.Get("Upload-Offset"))
		}
		offset = end
	}
	want := c.base + "/" + location[strings.LastIndex(location, "/")+1:]
	if got := last.Header.Get("Content-Location"); got != want {
		t.Errorf("Content-Location %q, want %q", got, want)
	}
	return location
}

// downloads reads a file whole, in its middle, and its end under If-Range.
func (c client) downloads(t *testing.T, file string, body []byte) {
	t.Helper()
	res, got := c.do(t, "GET", file, nil, nil)
	if res.StatusCode != http.StatusOK || sha256.Sum256(got) != sha256.Sum256(body) {
		t.Errorf("GET: %s, %d of %d bytes, or others", res.Status, len(got), len(body))
	}
	res, got = c.do(t, "GET", file, header{"Range": "bytes=9000000-10999999"}, nil)
	if res.StatusCode != http.StatusPartialContent || !bytes.Equal(got, body[9000000:11000000]) {
		t.Errorf("a range: %s, %d bytes, or others", res.Status, len(got))
	}
	res, got = c.do(t, "GET", file, header{"Range": "bytes=-1000", "If-Range": res.Header.Get("ETag")}, nil)
	if res.StatusCode != http.StatusPartialContent || !bytes.Equal(got, body[len(body)-1000:]) {
		t.Errorf("the end, resumed: %s, %d bytes, or others", res.Status, len(got))
	}
}

// No proxy has a limit of its own: a file that is too large gets Holdfast's answer, however much of it comes along.
func TestRefusalsComeThroughProxies(t *testing.T) {
	eachFront(t, nil, func(t *testing.T, _ front, c client) {
		if res := c.create(t, 104857601); res.StatusCode != http.StatusRequestEntityTooLarge ||
			!strings.Contains(res.Header.Get("Content-Type"), "json") {
			t.Errorf("too large: %s, %q", res.Status, res.Header.Get("Content-Type"))
		}
		if res, body := c.do(t, "PUT", c.base+"/large.bin", nil, io.LimitReader(zeros{}, 104857601)); res.StatusCode !=
			http.StatusRequestEntityTooLarge || !strings.Contains(string(body), "FILE_003") {
			t.Errorf("too large, of unknown length: %s %s", res.Status, body)
		}
		wrong := client{base: c.base, token: "hf_wrong", http: c.http}
		if res, body := wrong.do(t, "GET", c.base+"/?limit=1", nil, nil); res.StatusCode != http.StatusUnauthorized ||
			!strings.Contains(string(body), "AUTH_001") {
			t.Errorf("a wrong token: %s %s", res.Status, body)
		}
		if res, body := wrong.do(t, "PUT", c.base+"/a.bin", nil, io.LimitReader(zeros{}, 30<<20)); res.StatusCode !=
			http.StatusUnauthorized || !strings.Contains(string(body), "AUTH_001") {
			t.Errorf("a wrong token, with a body: %s %s", res.Status, body)
		}
		// As a browser asks, without a token: with one the same address is the list of files.
		page := strings.TrimSuffix(c.base, "/files") + "/"
		if res, body := (client{http: c.http}).do(t, "GET", page, nil, nil); res.StatusCode != http.StatusOK ||
			!strings.Contains(string(body), "the page") {
			t.Errorf("the page: %s %s", res.Status, body)
		}
	})
}

// Holdfast learns the client's address from each proxy, and nothing that a client has made up.
func TestClientAddressThroughProxies(t *testing.T) {
	eachFront(t, nil, func(t *testing.T, _ front, c client) {
		from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 7)}}
		transport := c.http.Transport.(*http.Transport).Clone()
		transport.DialContext = from.DialContext
		defer transport.CloseIdleConnections()
		c.http = &http.Client{Transport: transport}
		c.do(t, "GET", c.base+"/?limit=1", header{"X-Real-IP": "192.0.2.1", "X-Forwarded-For": "192.0.2.1",
			"X-Forwarded-Proto": "gopher", "Forwarded": "for=192.0.2.1"}, nil)
		if log := c.logged(t); !strings.Contains(log, "client=127.0.0.7") || strings.Contains(log, "192.0.2.1") {
			t.Errorf("no request of 127.0.0.7, or one of 192.0.2.1:\n%s", log)
		}
	})
}

// fill makes bytes that no part of the way could compress or guess.
func fill(b []byte) {
	seed := [32]byte{1}
	_, _ = io.ReadFull(rand.NewChaCha8(seed), b)
}

// zeros is a body without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
