package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"holdfast/file"
)

// localPrefix begins every local token. People and secret scanners recognise it, and only
// tokens with it are looked up in SQL.
const localPrefix = "hf_"

// Tokens finds local tokens by the SHA-256 of their text. The error is file.ErrNotFound for a
// token that does not exist, or that has expired or was revoked.
type Tokens interface {
	Token(ctx context.Context, hash []byte) (file.Token, error)
}

// local finds the tokens that an operator made.
type local struct{ tokens Tokens }

func (l local) find(ctx context.Context, token string) (bearer, error) {
	if !strings.HasPrefix(token, localPrefix) {
		return bearer{}, file.ErrNotFound
	}
	t, err := l.tokens.Token(ctx, Hash(token))
	if err != nil {
		return bearer{}, err
	}
	who := file.Identity{Kind: file.KindUser, UserID: t.UserID, AccountID: t.AccountID, Groups: t.Groups}
	if t.UserID == 0 {
		who.Kind, who.Fingerprint = file.KindService, Fingerprint(token)
	}
	return bearer{who, t.ExpiresAt}, nil
}

// NewToken makes the text of a local token, with 256 random bits.
func NewToken() string {
	var b [32]byte
	rand.Read(b[:])
	return localPrefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// Hash returns the hash of a local token, which is all that is stored of it. A plain SHA-256 is
// enough for a random text.
func Hash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Fingerprint identifies a token without revealing it: the first half of its SHA-256, in 32
// hexadecimal digits.
func Fingerprint(token string) string { return hex.EncodeToString(Hash(token)[:16]) }

// IssueToken creates a token for the user of t, or for a service if t has no user. It returns
// the token's text, which is stored nowhere.
func IssueToken(ctx context.Context, rows interface {
	CreateToken(ctx context.Context, t file.Token) error
}, t file.Token) (string, error) {
	text := NewToken()
	t.ID, t.Hash = string(file.NewID())[:8], Hash(text)
	return text, rows.CreateToken(ctx, t)
}
