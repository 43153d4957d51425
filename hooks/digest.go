package hooks

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/dunglas/httpsfv"

	"holdfast/file"
)

// sumSize is the length of a SHA-256, in bytes.
const sumSize = 32

// ParseClaim reads what a client says the SHA-256 of the whole file is: in the metadata
// under "sha256", as hexadecimal digits or base64, or in the header Repr-Digest (RFC 9530,
// 3). Without either the result is nil. What can't be read, or contradicts itself, is
// file.ErrInvalid: a check that a client asks for must not be left out in silence.
func ParseClaim(metadata map[string]string, reprDigest []string) ([]byte, error) {
	var claim []byte
	if v := metadata["sha256"]; v != "" { // a form may send the field empty
		if claim = parseSum(v); claim == nil {
			return nil, file.Refuse(file.ErrInvalid, "Upload-Metadata: sha256 must be 64 hexadecimal digits, or 32 bytes in base64")
		}
	}
	digest, err := parseReprDigest(reprDigest)
	if err != nil || digest == nil {
		return claim, err
	}
	if claim != nil && !bytes.Equal(claim, digest) {
		return nil, file.Refuse(file.ErrInvalid, "Repr-Digest and the metadata's sha256 differ")
	}
	return digest, nil
}

func parseSum(s string) []byte {
	if len(s) == hex.EncodedLen(sumSize) {
		if sum, err := hex.DecodeString(s); err == nil {
			return sum
		}
	}
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	if sum, err := base64.RawStdEncoding.Strict().DecodeString(plain); err == nil && len(sum) == sumSize {
		return sum
	}
	return nil
}

// parseReprDigest finds SHA-256 among the digests of a header; other algorithms are left
// alone (RFC 9530, 2).
func parseReprDigest(values []string) ([]byte, error) {
	if len(values) == 0 {
		return nil, nil
	}
	digests, err := httpsfv.UnmarshalDictionary(values)
	if err != nil {
		return nil, file.Refuse(file.ErrInvalid, "Repr-Digest can't be read: sha-256=:...: is expected")
	}
	member, there := digests.Get("sha-256")
	if !there {
		return nil, nil
	}
	item, _ := member.(httpsfv.Item)
	sum, _ := item.Value.([]byte)
	if len(sum) != sumSize {
		return nil, file.Refuse(file.ErrInvalid, "Repr-Digest: sha-256 must be 32 bytes in base64 between colons")
	}
	return sum, nil
}
