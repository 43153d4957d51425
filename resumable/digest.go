package resumable

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"net/http"

	"holdfast/digest"
	"holdfast/file"
	"holdfast/upload"
)

// contentCheck compares the body of a request with its Content-Digest (RFC 9530, 2) before any of its bytes are
// committed.
type contentCheck struct {
	hash.Hash
	want []byte // nil: it comes as a trailer
	r    *http.Request
}

// checked are the digests that are compared here.
var checked = digest.Checked{Headers: []string{"Content-Digest", "Repr-Digest"}, Trailers: []string{"Content-Digest"}}

// readContentDigest returns the check that a request asks for; nil if it asks for none.
func readContentDigest(r *http.Request) (upload.Check, error) {
	if err := checked.Refuse(r.Header, r.Trailer); err != nil {
		return nil, err
	}
	want, err := digest.Parse(r.Header, "Content-Digest")
	if err != nil {
		return nil, err
	}
	_, trailing := r.Trailer["Content-Digest"]
	if want == nil && !trailing {
		return nil, nil
	}
	return &contentCheck{sha256.New(), want, r}, nil
}

// Verify compares the digests. The body must have ended.
func (c *contentCheck) Verify() error {
	want := c.want
	if want == nil {
		var err error
		if want, err = digest.Parse(c.r.Trailer, "Content-Digest"); err != nil || want == nil {
			return err
		}
	}
	if sum := c.Sum(nil); !bytes.Equal(sum, want) {
		return file.Refuse(file.ErrInvalid,
			"Content-Digest does not match the body, whose digest is %s; nothing of it was kept",
			digest.Format(sum))
	}
	return nil
}

// setDigest adds the SHA-256 of the file to the final answer, if the client wants it (RFC 9530, 4).
func (x *exchange) setDigest(u *file.Upload) {
	wish := x.r.Header.Values("Want-Repr-Digest")
	if len(wish) == 0 || digest.Unwanted(wish) {
		return
	}
	if sum, err := file.Digest(u.HashState); err == nil {
		x.w.Header().Set("Repr-Digest", digest.Format(sum))
	}
}
