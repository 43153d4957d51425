package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"holdfast/file"
)

// newSecret makes the secret of a link, with 256 random bits.
func newSecret() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// sealer encrypts with AES-256-GCM, with a key derived from a link's secret by HKDF (RFC 5869).
func sealer(secret string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "holdfast link credential", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func seal(secret string, c file.Credential) ([]byte, error) {
	header, value := c.Reveal()
	if header == "" {
		return []byte{}, nil
	}
	a, err := sealer(secret)
	if err != nil {
		return nil, fmt.Errorf("seal credential: %w", err)
	}
	return a.Seal(nil, nil, []byte(header+": "+value), nil), nil
}

func unseal(secret string, sealed []byte) (file.Credential, error) {
	if len(sealed) == 0 {
		return file.Credential{}, nil
	}
	a, err := sealer(secret)
	if err != nil {
		return file.Credential{}, fmt.Errorf("unseal credential: %w", err)
	}
	plain, err := a.Open(nil, nil, sealed, nil)
	if err != nil {
		return file.Credential{}, fmt.Errorf("unseal credential: %w", err)
	}
	header, value, _ := strings.Cut(string(plain), ": ")
	return file.NewCredential(header, value), nil
}
