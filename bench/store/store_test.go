package store_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"holdfast/bench/store"
	"holdfast/bench/tus"
)

// The direct put is sent in parts, each with a checksum and without a SHA-256 for its signature, which the SDK would
// compute by default.
func TestPutIsUnsigned(t *testing.T) {
	var mu sync.Mutex
	parts, got := 0, int64(0)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"x"`)
		if r.Method == http.MethodPost {
			fmt.Fprint(w, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
			return
		}
		mu.Lock()
		defer mu.Unlock()
		parts, got = parts+1, got+n
		if h := r.Header.Get("X-Amz-Content-Sha256"); h != "UNSIGNED-PAYLOAD" {
			t.Errorf("part %s is signed: %s", r.URL.Query().Get("partNumber"), h)
		}
		if r.Header.Get("X-Amz-Checksum-Crc32") == "" {
			t.Errorf("part %s has no checksum", r.URL.Query().Get("partNumber"))
		}
	}))
	defer s.Close()
	const length = 20 << 20
	direct := store.New(store.Access{Endpoint: s.URL, Region: "us-east-1", AccessKey: "key", SecretKey: "secret"})
	if err := direct.Put(t.Context(), "bucket", "key", tus.NewContent().Section(0, length)); err != nil {
		t.Fatal(err)
	}
	if parts != 3 || got != length {
		t.Errorf("%d parts, %d bytes", parts, got)
	}
}

// A bucket that does not exist is empty.
func TestEmptyOfNoBucket(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<Error><Code>NoSuchBucket</Code></Error>")
	}))
	defer s.Close()
	if err := store.New(store.Access{Endpoint: s.URL, Region: "us-east-1", AccessKey: "key",
		SecretKey: "secret"}).Empty(t.Context(), "bucket"); err != nil {
		t.Error(err)
	}
}
