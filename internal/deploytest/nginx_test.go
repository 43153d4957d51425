package deploytest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"holdfast/internal/test/holdfasttest"
	"holdfast/internal/test/nginxtest"
	"holdfast/internal/test/testproc"
)

// A file is uploaded in chunks through nginx, with the connection cut in the middle of one, and downloaded whole and
// in ranges. nginx stores none of it.
func TestUploadAndDownloadThroughNginx(t *testing.T) {
	c, nginxLog := throughNginx(t)
	body := make([]byte, 20<<20+123)
	fill(body)
	location := c.uploadWithACut(t, body)
	id := location[strings.LastIndex(location, "/")+1:]
	if head, _ := c.do(t, "HEAD", location, tus, nil); head.Header.Get("Upload-Offset") != strconv.Itoa(len(body)) {
		t.Errorf("HEAD: %s, Upload-Offset %q", head.Status, head.Header.Get("Upload-Offset"))
	}
	c.downloads(t, c.base+"/"+id, body)

	log, err := os.ReadFile(nginxLog)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), "temporary file") {
		t.Errorf("nginx buffered on its disk:\n%s", log)
	}
	if strings.Contains(string(log), c.token) {
		t.Error("the token is in nginx's log")
	}
	if !strings.Contains(string(log), `"PATCH /files/tus/`+id) {
		t.Errorf("the requests are not in nginx's log:\n%s", log)
	}
}

// uploadWithACut uploads body in chunks of 8 MiB. The connection breaks in the second one.
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
	offset := c.cutLine(t, location, chunk, body[chunk:2*chunk])
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

// downloads reads a file whole, a range of it, and its end with If-Range.
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

// nginx has no limit of its own: a file that is too large gets Holdfast's answer.
func TestRefusalsComeThroughNginx(t *testing.T) {
	c, _ := throughNginx(t)
	if res := c.create(t, 104857601); res.StatusCode != http.StatusRequestEntityTooLarge ||
		!strings.Contains(res.Header.Get("Content-Type"), "json") {
		t.Errorf("too large: %s, %q", res.Status, res.Header.Get("Content-Type"))
	}
	wrong := client{base: c.base, token: "hf_wrong"}
	if res, body := wrong.do(t, "GET", c.base+"/?limit=1", nil, nil); res.StatusCode != http.StatusUnauthorized ||
		!strings.Contains(string(body), "AUTH_001") {
		t.Errorf("a wrong token: %s %s", res.Status, body)
	}
	// Like a browser, without a token: with a token this URL is the list of files.
	page := strings.TrimSuffix(c.base, "/files") + "/"
	if res, body := (client{}).do(t, "GET", page, nil, nil); res.StatusCode != http.StatusOK ||
		!strings.Contains(string(body), "the page") {
		t.Errorf("the page: %s %s", res.Status, body)
	}
}

// throughNginx starts the program behind nginx with deploy/nginx.conf. The string is the path of nginx's log.
func throughNginx(t *testing.T) (client, string) {
	t.Helper()
	binary := holdfasttest.Plain(t)
	port, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	public := fmt.Sprintf("http://127.0.0.1:%d/files", port)
	h := startHoldfast(t, binary, public)
	return client{base: public, token: h.token}, nginxtest.Start(t, port, h.port)
}

// fill writes bytes that can't be compressed or guessed.
func fill(b []byte) {
	seed := [32]byte{1}
	_, _ = io.ReadFull(rand.NewChaCha8(seed), b)
}
