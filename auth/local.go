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

// localPrefix begins every local token: people and secret scanners see what it is, and
// nothing else has to be looked up in SQL.
const localPrefix = "hf_"

// Tokens finds local tokens by the SHA-256 of their text. A token that is not there
// or no longer in force is file.ErrNotFound.
type Tokens interface {
	Token(ctx context.Context, hash []byte) (file.Token, error)
}

// local finds the tokens that an operator made.
type local struct{ tokens Tokens }

func (l local) find(ctx context.Context, token string) (found, error) {
	if !strings.HasPrefix(token, localPrefix) {
		return found{}, file.ErrNotFound
	}
	t, err := l.tokens.Token(ctx, Hash(token))
	if err != nil {
		return found{}, err
	}
	who := file.Identity{Kind: file.KindUser, UserID: t.UserID, AccountID: t.AccountID, Groups: t.Groups}
	if t.UserID == 0 {
		who.Kind, who.Fingerprint = file.KindService, Fingerprint(token)
	}
	return found{who, t.ExpiresAt}, nil
}

// NewToken makes the text of a local token, with 256 random bits.
func NewToken() string {
	var b [32]byte
	rand.Read(b[:])
	return localPrefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// Hash is what is kept of a local token. A plain hash is enough for a random text.
func Hash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Fingerprint tells a token from others without saying what it is: the first half of its
// SHA-256, in 32 hexadecimal digits.
func Fingerprint(token string) string { return hex.EncodeToString(Hash(token)[:16]) }

// IssueToken makes a token for whom t says, or for a service if t names no user, and returns
// its text, which is kept nowhere.
func IssueToken(ctx context.Context, rows interface {
	CreateToken(ctx context.Context, t file.Token) error
}, t file.Token) (string, error) {
	text := NewToken()
	t.ID, t.Hash = string(file.NewID())[:8], Hash(text)
	return text, rows.CreateToken(ctx, t)
}
