package resumable_test

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"strings"
	"testing"

	"holdfast/digest"
)

func digestOf(b string) string { sum := sha256.Sum256([]byte(b)); return digest.Format(sum[:]) }

// Content-Digest covers the body of one request, which is dropped if it differs; Repr-Digest covers the file (RFC
// 9530).
func TestDigests(t *testing.T) {
	eachVersion(t, func(c client) {
		a := c.post("?0", []byte("01234"), "Content-Digest", digestOf("01234"), "Repr-Digest", digestOf("0123456789"))
		at := a.header.Get("Location")
		if a.status != http.StatusCreated || a.offset() != 5 {
			c.T.Fatalf("%d %v", a.status, a.header)
		}
		if a := c.patch(at, 5, "?1", strings.NewReader("56789"), "Content-Digest", digestOf("5678x")); a.status != 400 {
			c.T.Errorf("a wrong Content-Digest: %d", a.status)
		}
		if a := c.do("HEAD", at, nil); a.offset() != 5 {
			c.T.Errorf("after it: %v", a.header)
		}
		if a := c.patch(at, 5, "?0", nil, "Content-Digest", "sha-256=x"); a.status != 400 {
			c.T.Errorf("a Content-Digest that can't be read: %d", a.status)
		}
		if a := c.patch(at, 5, "?0", nil, "Repr-Digest", digestOf("another")); a.status != 400 {
			c.T.Errorf("another Repr-Digest: %d", a.status)
		}
		a = c.patch(at, 5, "?1", strings.NewReader("56789"), "Want-Repr-Digest", "sha-256=1")
		c.Check(c.file(a), []byte("0123456789"))
		if a.header.Get("Repr-Digest") != digestOf("0123456789") {
			c.T.Errorf("Repr-Digest: %v", a.header)
		}
		a = c.post("?1", []byte("01234"), "Repr-Digest", digestOf("another"))
		if a.status != http.StatusUnprocessableEntity || a.header.Get("Upload-Complete") != "?1" {
			c.T.Errorf("a file of another digest: %d %v", a.status, a.header)
		}
	})
}

// A digest may follow a body of unknown length (RFC 9530, 2; RFC 9110, 6.5).
func TestDigestAsTrailer(t *testing.T) {
	eachVersion(t, func(c client) {
		for value, want := range map[string]int{digestOf("01234"): 201, digestOf("x"): 400} {
			r, err := http.NewRequestWithContext(c.T.Context(), "POST", c.URL+"/files/tus/",
				struct{ *bytes.Buffer }{bytes.NewBufferString("01234")})
			if err != nil {
				c.T.Fatal(err)
			}
			r.Header.Set("Upload-Complete", "?1")
			r.Trailer = http.Header{"Content-Digest": {value}}
			res, err := c.Client.Do(r)
			if err != nil {
				c.T.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != want {
				c.T.Errorf("%d, want %d", res.StatusCode, want)
			}
		}
	})
}
