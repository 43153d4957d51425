package form

import (
	"bytes"
	"net/http"

	"holdfast/digest"
	"holdfast/file"
)

// checked are the digests that are compared here.
var checked = digest.Checked{Headers: []string{"Content-Digest", "Repr-Digest"}}

// declaredDigest returns the SHA-256 that the headers of a request, or of a part, declare for its body; nil if they
// declare none. Without a Content-Encoding both fields cover the same bytes (RFC 9530, 2 and 3).
func declaredDigest(h http.Header) ([]byte, error) {
	if err := checked.Refuse(h, nil); err != nil {
		return nil, err
	}
	content, err := digest.Parse(h, "Content-Digest")
	if err != nil {
		return nil, err
	}
	representation, err := digest.Parse(h, "Repr-Digest")
	switch {
	case err != nil:
		return nil, err
	case content == nil:
		return representation, nil
	case representation != nil && !bytes.Equal(content, representation):
		return nil, file.Refuse(file.ErrInvalid, "Content-Digest and Repr-Digest differ")
	}
	return content, nil
}
