package upload

import (
	"bytes"
	"encoding"
	"fmt"
	"hash"

	"holdfast/file"
)

// Sum is the SHA-256 of an upload that has all its bytes; nil: it is direct, and its bytes were not read yet.
func Sum(u *file.Upload) ([]byte, error) {
	if u.Direct && u.HashState == nil {
		return nil, nil
	}
	return file.Digest(u.HashState)
}

// saveHash returns the state of a SHA-256 from which file.ResumeHash goes on.
func saveHash(h hash.Hash) ([]byte, error) {
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("save SHA-256 state: %w", err)
	}
	return state, nil
}

// Matches compares an upload that has all its bytes with the SHA-256 that its client declared; nil: none.
// file.ErrDigest if they differ.
func Matches(u *file.Upload, claim []byte) error {
	if claim == nil {
		return nil
	}
	sum, err := Sum(u)
	if err != nil || bytes.Equal(sum, claim) {
		return err
	}
	return file.Refuse(file.ErrDigest, "The SHA-256 of the content is %x, but %x was declared: send the file again", sum,
		claim)
}
