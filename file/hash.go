package file

import (
	"crypto/sha256"
	"encoding"
	"fmt"
	"hash"
)

// ResumeHash returns a SHA-256 that continues from a state of Upload.HashState.
func ResumeHash(state []byte) (hash.Hash, error) {
	h := sha256.New()
	if state != nil {
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
			return nil, fmt.Errorf("saved SHA-256 state: %w", err)
		}
	}
	return h, nil
}

// Digest returns the SHA-256 of everything that a state of Upload.HashState has hashed.
func Digest(state []byte) ([]byte, error) {
	h, err := ResumeHash(state)
	if err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}
