package s3

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/s3test"
	"holdfast/storage"
)

// A bucket without rules lets pages of the client's origins send parts from the first write on. Rules that are there
// stay, until the client is told to replace them.
func TestOriginsOfBuckets(t *testing.T) {
	server := s3test.Start(t)
	open := func(origins ...string) *Client {
		c := New(Options{Endpoint: server.Endpoint, Region: server.Region, AccessKey: server.AccessKey,
			SecretKey: server.SecretKey, Origins: origins})
		t.Cleanup(c.Close)
		return c
	}
	const ours, theirs = "https://app.example.org", "https://other.example.org"
	fresh, old := file.Location{Bucket: "fresh-1", Key: "k"}, file.Location{Bucket: "old-1", Key: "k"}
	put := func(c *Client, at file.Location) {
		if _, err := c.Put(t.Context(), at, "text/plain", strings.NewReader("x"), 1); err != nil {
			t.Fatal(err)
		}
	}
	put(open(), fresh)
	put(open(theirs), old)
	c := open(ours)
	put(c, fresh)
	put(c, old)
	if got, err := c.AllowedOrigins(t.Context(), old.Bucket); err != nil || !slices.Equal(got, []string{theirs}) {
		t.Errorf("%v %v", got, err)
	}
	if err := c.AllowOrigins(t.Context(), old.Bucket, []string{ours}); err != nil {
		t.Fatal(err)
	}
	for _, at := range []file.Location{fresh, old} {
		if got, err := c.AllowedOrigins(t.Context(), at.Bucket); err != nil || !slices.Equal(got, []string{ours}) {
			t.Errorf("%s: %v %v", at.Bucket, got, err)
		}
		m, err := c.BeginMultipart(t.Context(), at, "text/plain", true)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := c.PartSigner("")(t.Context(), at, storage.PartPut{Multipart: m, Number: 1, Size: 1, TTL: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		for origin, want := range map[string]string{ours: ours, theirs: ""} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, signed.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Origin", origin)
			r.Header.Set("Access-Control-Request-Method", "PUT")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := resp.Header.Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("%s: a page of %s may send: %q", at.Bucket, origin, got)
			}
		}
	}
}
