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
	"strings"

	"github.com/dunglas/httpsfv"

	"holdfast/file"
)

// Size is the length of a SHA-256, in bytes.
const Size = 32

// Parse finds the SHA-256 in a field of h, which is Repr-Digest or Content-Digest; nil if it is
// not there. Other algorithms are left alone (RFC 9530, 2).
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
