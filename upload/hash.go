package upload

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"fmt"
	"hash"

	"holdfast/file"
)

// resumeHash returns a SHA-256 that continues from a saved state.
func resumeHash(state []byte) (hash.Hash, error) {
	h := sha256.New()
	if state != nil {
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
			return nil, fmt.Errorf("saved SHA-256 state: %w", err)
		}
	}
	return h, nil
}

// Digest returns the SHA-256 of everything that a saved state has hashed.
func Digest(state []byte) ([]byte, error) {
	h, err := resumeHash(state)
	if err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// saveHash returns the state of a SHA-256, for resumeHash.
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
	sum, err := Digest(u.HashState)
	if err != nil || bytes.Equal(sum, claim) {
		return err
	}
	return file.Refuse(file.ErrDigest, "The SHA-256 of the content is %x, but %x was declared: send the file again", sum,
		claim)
}
