package server

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestKind(t *testing.T) {
	for _, c := range []struct{ method, url, source, want string }{
		{"PUT", "/bucket/a/b", "", "PutObject"},
		{"PUT", "/bucket/a", "/bucket/c", "CopyObject"},
		{"GET", "/bucket/a", "", "GetObject"},
		{"HEAD", "/bucket/a", "", "HeadObject"},
		{"DELETE", "/bucket/a", "", "DeleteObject"},
		{"POST", "/bucket/a?uploads", "", "CreateMultipartUpload"},
		{"PUT", "/bucket/a?partNumber=1&uploadId=x", "", "UploadPart"},
		{"PUT", "/bucket/a?partNumber=1&uploadId=x", "/bucket/c", "UploadPartCopy"},
		{"POST", "/bucket/a?uploadId=x", "", "CompleteMultipartUpload"},
		{"DELETE", "/bucket/a?uploadId=x", "", "AbortMultipartUpload"},
		{"GET", "/bucket/a?uploadId=x", "", "ListParts"},
		{"GET", "/bucket?uploads", "", "ListMultipartUploads"},
		{"GET", "/bucket/?list-type=2", "", "ListObjects"},
		{"POST", "/bucket?delete", "", "DeleteObjects"},
		{"PUT", "/bucket", "", "CreateBucket"},
		{"HEAD", "/bucket", "", "HeadBucket"},
		{"PATCH", "/bucket/a", "", "PATCH Object"},
	} {
		r := httptest.NewRequest(c.method, c.url, nil)
		if c.source != "" {
			r.Header.Set("X-Amz-Copy-Source", c.source)
		}
		if got := kind(r); got != c.want {
			t.Errorf("%s %s: %s, not %s", c.method, c.url, got, c.want)
		}
	}
}

// The proxy forwards everything, including the signed Host, and counts it once.
func TestCalls(t *testing.T) {
	var host string
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host = r.Host
		w.WriteHeader(http.StatusTeapot)
		io.Copy(w, r.Body)
	}))
	defer store.Close()
	calls, err := CountCalls(store.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer calls.Stop()
	for range 2 {
		r, err := http.NewRequest("PUT", calls.URL+"/bucket/key", strings.NewReader("content"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != "content" || resp.StatusCode != http.StatusTeapot || "http://"+host != calls.URL {
			t.Error(resp.Status, string(body), host, err)
		}
	}
	if got := calls.Take(); !maps.Equal(got, map[string]int{"PutObject": 2}) {
		t.Error(got)
	}
	if got := calls.Take(); len(got) != 0 {
		t.Error(got)
	}
}

func TestKey(t *testing.T) {
	var s Server
	for path, want := range map[string]string{"/files/tus/0b5e": "0b5e", "/files/abc+multipart-id": "abc",
		"/files/abc": "abc"} {
		if got := s.Key(path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// Where there is no nginx, the error names the package.
func TestNoNginx(t *testing.T) {
	empty := t.TempDir()
	t.Setenv("PATH", empty)
	if _, err := nginxOr(t.Context(), empty+"/nginx"); err == nil || !strings.Contains(err.Error(),
		"apt-get install nginx") {
		t.Error(err)
	}
}
