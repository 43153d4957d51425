package s3

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/s3test"
)

// With a prefix, MinIO lists only the multipart uploads whose key is the prefix. What a crash has left is found all the
// same.
func TestLeftoversOfExactMultiparts(t *testing.T) {
	s := s3test.Start(t)
	to, err := url.Parse(s.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); q.Has("uploads") && q.Get("prefix") != "" {
			io.WriteString(w, `<?xml version="1.0"?><ListMultipartUploadsResult><IsTruncated>false</IsTruncated>`+
				`</ListMultipartUploadsResult>`)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer between.Close()
	quirks, _ := MinIO.Quirks()
	c := New(Options{Endpoint: between.URL, Region: s.Region, AccessKey: s.AccessKey, SecretKey: s.SecretKey,
		Quirks: quirks})
	defer c.Close()
	id := file.NewID()
	for _, key := range []string{string(id), "objects/" + string(id) + "/3", string(file.NewID())} {
		if _, err := c.BeginMultipart(t.Context(), file.Location{Bucket: "left-1", Key: key}, "", false); err != nil {
			t.Fatal(err)
		}
	}
	left, err := c.Leftovers(t.Context(), "left-1", id)
	if err != nil || len(left.Multiparts) != 2 {
		t.Errorf("%+v %v, want two multipart uploads", left, err)
	}
}
