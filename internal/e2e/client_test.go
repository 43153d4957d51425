package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// answer is the answer to a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// code is the code of an error's body.
func (a answer) code() string {
	var p struct{ Code string }
	_ = json.Unmarshal(a.body, &p)
	return p.Code
}

func (a answer) String() string {
	return fmt.Sprintf("%d %v %.300q", a.status, a.header, a.body)
}

// ask sends a request. Headers are "Name: value"; the token and Tus-Resumable are added if they are not given, and
// "Name: -" leaves a header out. A body that is neither a string nor a []byte is sent chunked.
func (s *server) ask(method, path string, body any, headers ...string) (answer, error) {
	var reader io.Reader
	switch b := body.(type) {
	case string:
		reader = strings.NewReader(b)
	case []byte:
		reader = bytes.NewReader(b)
	case io.Reader:
		reader = b
	}
	if strings.HasPrefix(path, "/") {
		path = strings.TrimSuffix(s.base, "/files") + path
	}
	r, err := http.NewRequest(method, path, reader)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Accept-Encoding", "identity")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		r.Header.Add(name, strings.TrimPrefix(value, " "))
	}
	for name, value := range map[string]string{"Authorization": "Bearer " + s.token, "Tus-Resumable": "1.0.0"} {
		switch r.Header.Get(name) {
		case "":
			r.Header.Set(name, value)
		case "-":
			r.Header.Del(name)
		}
	}
	res, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header}
	came := sized(res)
	_, err = came.ReadFrom(res.Body)
	a.body = came.Bytes()
	return a, err
}

// sized returns a buffer with enough capacity for a body, which need not be copied as it grows.
func sized(res *http.Response) *bytes.Buffer {
	var b bytes.Buffer
	if res.Request.Method != http.MethodHead && res.ContentLength > 0 {
		b.Grow(int(res.ContentLength) + bytes.MinRead)
	}
	return &b
}

var client = &http.Client{
	Transport:     promised,
	Timeout:       patience,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// do is ask for a request that must get an answer.
func (s *server) do(t *testing.T, method, path string, body any, headers ...string) answer {
	t.Helper()
	a, err := s.ask(method, path, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// create begins an upload and returns its URL.
func (s *server) create(t *testing.T, size int, headers ...string) string {
	t.Helper()
	a := s.do(t, "POST", "/files/tus/", nil, append([]string{"Upload-Length: " + strconv.Itoa(size)}, headers...)...)
	if a.status != http.StatusCreated {
		t.Fatalf("create: %v", a)
	}
	return a.header.Get("Location")
}

const octets = "Content-Type: application/offset+octet-stream"

func (s *server) patch(t *testing.T, location string, offset int, body any, headers ...string) answer {
	t.Helper()
	return s.do(t, "PATCH", location, body, append([]string{octets, "Upload-Offset: " + strconv.Itoa(offset)},
		headers...)...)
}

// offset returns the upload's offset by HEAD.
func (s *server) offset(t *testing.T, location string) int {
	t.Helper()
	a := s.do(t, "HEAD", location, nil)
	n, err := strconv.Atoi(a.header.Get("Upload-Offset"))
	if a.status != http.StatusOK || err != nil {
		t.Fatalf("HEAD %s: %v", location, a)
	}
	return n
}

// upload sends a whole file and returns its URL and the URL it was uploaded to.
func (s *server) upload(t *testing.T, content []byte, headers ...string) (url, location string) {
	t.Helper()
	location = s.create(t, len(content), headers...)
	a := s.patch(t, location, 0, content)
	if a.status != http.StatusNoContent || a.header.Get("Content-Location") == "" {
		t.Fatalf("upload: %v", a)
	}
	return a.header.Get("Content-Location"), location
}

// holds checks the content of a file's URL.
func (s *server) holds(t *testing.T, url string, want []byte) {
	t.Helper()
	if a := s.do(t, "GET", url, nil); a.status != http.StatusOK || !bytes.Equal(a.body, want) {
		t.Fatalf("GET %s: status %d, %d bytes, SHA-256 %x; want %d bytes, SHA-256 %x", url, a.status, len(a.body),
			sha256.Sum256(a.body), len(want), sha256.Sum256(want))
	}
}
