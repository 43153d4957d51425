// Package auth says who is asking: a header or a cookie, a token in it, an identity
// behind that. It is the only place where tokens are read.
//
// # Errors
//
// file.ErrUnauthenticated for whoever can't be told; file.ErrUnavailable when that
// could not be found out, which is never taken for "nobody".
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"holdfast/file"
)

// maxToken is the longest token looked up, in bytes.
const maxToken = 4096

// Tokens finds local tokens by the SHA-256 of their text. A token that is not there
// or no longer in force is file.ErrNotFound.
type Tokens interface {
	Token(ctx context.Context, hash []byte) (file.Token, error)
}

// Authenticator tells identities from requests.
type Authenticator struct {
	tokens Tokens // as they are
	known  Tokens // as they are or were a moment ago, for requests that change nothing
}

// New returns an Authenticator over local tokens. A token that was in force may still
// read, but change nothing, for the time given after it was revoked; 0 is none.
func New(tokens Tokens, remembered time.Duration) *Authenticator {
	a := &Authenticator{tokens, tokens}
	if remembered > 0 {
		a.known = remember(tokens, remembered)
	}
	return a
}

// Identify says who sent r. Cookies count for GET and HEAD alone, so that a foreign
// page can't make a browser change anything.
func (a *Authenticator) Identify(r *http.Request) (file.Identity, error) {
	candidates, tokens := headerTokens(r), a.tokens
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		candidates, tokens = append(candidates, cookieTokens(r)...), a.known
	}
	for _, token := range candidates {
		who, err := identify(r.Context(), tokens, token)
		if err == nil || !errors.Is(err, file.ErrNotFound) {
			return who, err
		}
	}
	return file.Identity{}, fmt.Errorf("%d tokens tried: %w", len(candidates), file.ErrUnauthenticated)
}

func identify(ctx context.Context, tokens Tokens, token string) (file.Identity, error) {
	if token == "" || len(token) > maxToken {
		return file.Identity{}, file.ErrNotFound
	}
	hash := Hash(token)
	t, err := tokens.Token(ctx, hash)
	if err != nil {
		return file.Identity{}, fmt.Errorf("look up token: %w", err)
	}
	return file.Identity{Kind: file.KindUser, UserID: t.UserID, AccountID: t.AccountID}, nil
}

// headerTokens takes "Bearer <t>" and "Token <t>", the scheme in any case (RFC 9110, 11.1).
func headerTokens(r *http.Request) (tokens []string) {
	for _, h := range r.Header.Values("Authorization") {
		scheme, token, ok := strings.Cut(strings.TrimSpace(h), " ")
		if ok && (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "Token")) {
			tokens = append(tokens, strings.TrimSpace(token))
		}
	}
	return tokens
}

func cookieTokens(r *http.Request) (tokens []string) {
	for _, name := range []string{"file_service_auth", "token"} {
		if c, err := r.Cookie(name); err == nil {
			tokens = append(tokens, c.Value)
		}
	}
	return tokens
}

// NewToken makes the text of a token, with 256 random bits. The prefix lets people
// and secret scanners see what it is.
func NewToken() string {
	var b [32]byte
	rand.Read(b[:])
	return "hf_" + base64.RawURLEncoding.EncodeToString(b[:])
}

// Hash is what is kept of a token. A plain hash is enough for a random text.
func Hash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

type identityKey struct{}

// NewContext returns a context that carries who is asking.
func NewContext(ctx context.Context, who file.Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// FromContext returns who is asking; ok is false if nobody said.
func FromContext(ctx context.Context) (who file.Identity, ok bool) {
	who, ok = ctx.Value(identityKey{}).(file.Identity)
	return who, ok
}
