package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"holdfast/file"
)

const (
	// maxSkew is how far the clock of a token's maker may be from ours.
	maxSkew = 30 * time.Second
	// maxGroups is how many groups of a token count; what is beyond is not looked at.
	maxGroups = 1000
)

// SignedOptions say which signed tokens (JWTs, RFC 7519) of other makers than Django count.
type SignedOptions struct {
	KeysURL  string // of the provider's public keys (RFC 7517); empty: none
	Secret   []byte // the key of tokens with HMAC-SHA256; empty: there are no such
	Issuer   string // that the tokens have to name; empty: any
	Audience string // that the tokens have to be for; empty: any

	// The names of the claims that hold the user, the account and the groups.
	UserClaim, AccountClaim, GroupsClaim string
}

// Signed finds people by the signed tokens of an OpenID provider, or of whoever has the
// secret.
type Signed struct {
	SignedOptions
	keys    *keySet // nil: none
	methods []string
	checks  []jwt.ParserOption
}

// NewSigned returns a Signed. The provider's keys are fetched when they are needed first.
func NewSigned(o SignedOptions) *Signed {
	s := &Signed{SignedOptions: o, checks: []jwt.ParserOption{jwt.WithLeeway(maxSkew)}}
	if o.KeysURL != "" {
		s.keys = newKeySet(o.KeysURL)
		s.methods = append(s.methods, "RS256", "ES256", "EdDSA")
	}
	if len(o.Secret) > 0 {
		s.methods = append(s.methods, "HS256")
	}
	if o.Issuer != "" {
		s.checks = append(s.checks, jwt.WithIssuer(o.Issuer))
	}
	if o.Audience != "" {
		s.checks = append(s.checks, jwt.WithAudience(o.Audience))
	}
	return s
}

func (s *Signed) verifies() {}

func (s *Signed) find(ctx context.Context, token string) (found, error) {
	if strings.Count(token, ".") != 2 {
		return found{}, file.ErrNotFound
	}
	claims, err := verify(token, s.methods, func(t *jwt.Token) (any, error) { return s.key(ctx, t) }, s.checks...)
	if err != nil {
		return found{}, err
	}
	if claims["token_type"] == "Guest" { // Django's, wherever its key came from
		return found{}, fmt.Errorf("a guest's token: %w", file.ErrNotFound)
	}
	f, err := identity(claims, s.UserClaim, s.AccountClaim)
	f.who.Groups = groups(claims[s.GroupsClaim])
	return f, err
}

// key returns what a token is to be checked with. Its method says which kind of key that
// is: a public key is never taken for the secret of an HMAC.
func (s *Signed) key(ctx context.Context, t *jwt.Token) (any, error) {
	if t.Method == jwt.SigningMethodHS256 {
		return s.Secret, nil
	}
	id, _ := t.Header["kid"].(string)
	all, err := s.keys.find(ctx, id)
	if err != nil {
		return nil, err
	}
	var fit []jwt.VerificationKey
	for _, k := range all {
		if k.fits(t.Method.Alg()) {
			fit = append(fit, k.public)
		}
	}
	if len(fit) == 0 {
		return nil, errors.New("no key for it")
	}
	return jwt.VerificationKeySet{Keys: fit}, nil
}

// publicKey is a key of the provider.
type publicKey struct {
	id     string
	method string // the only one it is for; empty: any that takes such a key
	public crypto.PublicKey
}

func (k publicKey) fits(method string) bool {
	if k.method != "" && k.method != method {
		return false
	}
	switch k.public.(type) {
	case *rsa.PublicKey:
		return method == "RS256"
	case *ecdsa.PublicKey:
		return method == "ES256"
	case ed25519.PublicKey:
		return method == "EdDSA"
	}
	return false
}

// groups reads a list of names, or a single one.
func groups(claim any) (names []string) {
	switch claim := claim.(type) {
	case string:
		names = append(names, claim)
	case []any:
		for _, v := range claim[:min(len(claim), maxGroups)] {
			if name, ok := v.(string); ok {
				names = append(names, name)
			}
		}
	}
	return names
}
