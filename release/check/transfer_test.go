package check

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
)

// ask sends a tus request and returns its answer, whose body is read.
func ask(t *testing.T, method, url, token string, header map[string]string, body []byte) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	noErr(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Tus-Resumable", "1.0.0")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	noErr(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	noErr(t, err)
	return resp, b
}

// get returns the status of a GET; 0 if there is no answer.
func get(t *testing.T, url, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	noErr(t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// upload is an unfinished upload of a file.
type upload struct {
	t          *testing.T
	token, url string
	data       []byte
}

// begin creates an upload and sends the first half of its bytes.
func begin(t *testing.T, port int, token string) *upload {
	t.Helper()
	u := &upload{t: t, token: token, data: make([]byte, 3<<20)}
	_, err := rand.Read(u.data)
	noErr(t, err)
	resp, body := ask(t, "POST", fmt.Sprintf("http://127.0.0.1:%d/files/tus/", port), token, map[string]string{
		"Upload-Length":   strconv.Itoa(len(u.data)),
		"Upload-Metadata": "filename " + base64.StdEncoding.EncodeToString([]byte("a.bin"))}, nil)
	if resp.StatusCode != 201 {
		t.Fatalf("POST: %s %s", resp.Status, body)
	}
	u.url = resp.Header.Get("Location")
	u.send(0, len(u.data)/2)
	return u
}

func (u *upload) send(from, to int) *http.Response {
	u.t.Helper()
	resp, body := ask(u.t, "PATCH", u.url, u.token, map[string]string{"Upload-Offset": strconv.Itoa(from),
		"Content-Type": "application/offset+octet-stream"}, u.data[from:to])
	if resp.StatusCode != 204 {
		u.t.Fatalf("PATCH: %s %s", resp.Status, body)
	}
	return resp
}

// finish sends the missing bytes, and compares the file with what was sent.
func (u *upload) finish() {
	u.t.Helper()
	resp, _ := ask(u.t, "HEAD", u.url, u.token, nil, nil)
	offset := resp.Header.Get("Upload-Offset")
	if offset != strconv.Itoa(len(u.data)/2) {
		u.t.Fatalf("the offset is %q, of %d bytes the first half was sent", offset, len(u.data))
	}
	file := u.send(len(u.data)/2, len(u.data)).Header.Get("Content-Location")
	resp, got := ask(u.t, "GET", file, u.token, nil, nil)
	if resp.StatusCode != 200 || !bytes.Equal(got, u.data) {
		u.t.Fatalf("GET %s: %s, %d bytes", file, resp.Status, len(got))
	}
}
