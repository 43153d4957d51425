package file

import (
	"crypto/sha256"
	"encoding"
	"fmt"
	"hash"
)

// ResumeHash returns a SHA-256 that goes on from a state of Upload.HashState.
func ResumeHash(state []byte) (hash.Hash, error) {
	h := sha256.New()
	if state != nil {
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
			return nil, fmt.Errorf("saved SHA-256 state: %w", err)
		}
	}
	return h, nil
}

// Digest is the SHA-256 at which a state of Upload.HashState has arrived.
func Digest(state []byte) ([]byte, error) {
	h, err := ResumeHash(state)
	if err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}
