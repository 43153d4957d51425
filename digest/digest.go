// Package digest reads and writes the header fields that name the SHA-256 of a file: Repr-Digest,
// Content-Digest and Want-Repr-Digest (RFC 9530).
//
// # Errors
//
// file.ErrInvalid for a field that can't be read: a check that a client asks for must not be
// left out in silence.
package digest

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"github.com/dunglas/httpsfv"

	"holdfast/file"
)

// Size is the length of a SHA-256, in bytes.
const Size = 32

// Parse finds the SHA-256 in a field of h, which is Repr-Digest or Content-Digest; nil if it is
// not there. Other algorithms beside it are left alone (RFC 9530, 2).
func Parse(h http.Header, field string) ([]byte, error) {
	values := h.Values(field)
	if len(values) == 0 {
		return nil, nil
	}
	digests, err := httpsfv.UnmarshalDictionary(values)
	if err != nil {
		return nil, file.Refuse(file.ErrInvalid, "%s can't be read: sha-256=:...: is expected", field)
	}
	member, there := digests.Get("sha-256")
	if !there && len(digests.Names()) > 0 {
		return nil, file.Refuse(file.ErrInvalid, "%s: only sha-256 is checked here, as sha-256=:...:", field)
	}
	if !there {
		return nil, nil
	}
	item, _ := member.(httpsfv.Item)
	sum, _ := item.Value.([]byte)
	if len(sum) != Size {
		return nil, file.Refuse(file.ErrInvalid, "%s: sha-256 must be 32 bytes in base64 between colons", field)
	}
	return sum, nil
}

// ParseSum reads a SHA-256 as 64 hexadecimal digits or as 32 bytes in base64; nil if it is neither.
func ParseSum(s string) []byte {
	if len(s) == hex.EncodedLen(Size) {
		if sum, err := hex.DecodeString(s); err == nil {
			return sum
		}
	}
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	if sum, err := base64.RawStdEncoding.Strict().DecodeString(plain); err == nil && len(sum) == Size {
		return sum
	}
	return nil
}

// Format is the value of a field for a SHA-256.
func Format(sum []byte) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum) + ":"
}

// Unwanted reports whether a Want-Repr-Digest field gives sha-256 the preference 0, "not
// acceptable" (RFC 9530, 4). A field that can't be read is as good as none.
func Unwanted(values []string) bool {
	if len(values) == 0 {
		return false
	}
	wishes, err := httpsfv.UnmarshalDictionary(values)
	if err != nil {
		return false
	}
	wish, there := wishes.Get("sha-256")
	if !there {
		return false
	}
	item, ok := wish.(httpsfv.Item)
	return ok && item.Value == int64(0)
}

// Metadata is the field with a creation's metadata (tus 1.0.0, Creation), in which "sha256" is that of the file.
const Metadata = "Upload-Metadata"

// fields are the header fields and trailers that declare a digest of a body, or of the file that it is (RFC 9530, RFC
// 3230, RFC 1864, tus 1.0.0).
var fields = [...]string{"Content-Digest", "Repr-Digest", "Unencoded-Digest", "Digest", "Content-Md5",
	"Upload-Checksum", Metadata}

// IsClaim reports whether a header field or trailer declares a digest of a body, or of the file that it is. The name is
// in the canonical form.
func IsClaim(name string) bool { return slices.Contains(fields[:], name) }

// Checked are the fields that a handler compares with what it receives.
type Checked struct{ Headers, Trailers []string }

// Refuse returns an error if headers declare, or trailers announce, a digest that the handler does not compare: a body
// that is stored anyway would look like one that was compared.
func (c Checked) Refuse(headers, trailers http.Header) error {
	for _, field := range fields {
		if declares(headers, field) && !slices.Contains(c.Headers, field) {
			return file.Refuse(file.ErrInvalid, "%s is not checked here: send %s, or leave it out", label(field),
				strings.Join(c.Headers, " or "))
		}
		if _, announced := trailers[field]; announced && !slices.Contains(c.Trailers, field) {
			return file.Refuse(file.ErrInvalid, "The trailer %s is not checked here: send the header %s, or leave it out",
				field, strings.Join(c.Headers, " or "))
		}
	}
	return nil
}

// declares reports whether a field is there with a digest. Metadata may have none: a name may be all that is in it.
func declares(h http.Header, field string) bool {
	if field != Metadata {
		return len(h.Values(field)) > 0
	}
	for pair := range strings.SplitSeq(strings.Join(h.Values(field), ","), ",") {
		if words := strings.Fields(pair); len(words) > 1 && words[0] == "sha256" {
			return true
		}
	}
	return false
}

// label is how an error names a field.
func label(field string) string {
	if field == Metadata {
		return "The sha256 in " + Metadata
	}
	return field
}
