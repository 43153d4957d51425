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
	// maxSkew is how far the clock of a token's issuer may differ from ours.
	maxSkew = 30 * time.Second
	// maxGroups is how many groups of a token are read; further ones are ignored.
	maxGroups = 1000
)

// SignedOptions say which signed tokens (JWTs, RFC 7519) of issuers other than Django are accepted.
type SignedOptions struct {
	KeysURL  string // of the provider's public keys (RFC 7517); empty: none
	Secret   []byte // the key of tokens with HMAC-SHA256; empty: these are not accepted
	Issuer   string // the required iss; empty: any
	Audience string // the required aud; empty: any

	// The names of the claims that hold the user, the account and the groups.
	UserClaim, AccountClaim, GroupsClaim string
}

// Signed verifies the signed tokens of an OpenID provider, or of an issuer that has the
// secret, and returns their users.
type Signed struct {
	SignedOptions
	keys    *keySet // nil: none
	methods []string
	checks  []jwt.ParserOption
}

// NewSigned returns a Signed. The provider's keys are fetched when they are first needed.
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

func (s *Signed) find(ctx context.Context, token string) (bearer, error) {
	if strings.Count(token, ".") != 2 {
		return bearer{}, file.ErrNotFound
	}
	claims, err := verify(token, s.methods, func(t *jwt.Token) (any, error) { return s.key(ctx, t) }, s.checks...)
	if err != nil {
		return bearer{}, err
	}
	if claims["token_type"] == "Guest" { // made by Django, whatever key it is signed with
		return bearer{}, fmt.Errorf("a guest's token: %w", file.ErrNotFound)
	}
	f, err := identity(claims, s.UserClaim, s.AccountClaim)
	f.who.Groups = groups(claims[s.GroupsClaim])
	return f, err
}

// key returns the key or keys to verify a token with. The token's method decides which kind of
// key is used: a public key is never used as the secret of an HMAC.
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
		return nil, errors.New("no key for this token")
	}
	return jwt.VerificationKeySet{Keys: fit}, nil
}

// publicKey is a key of the provider.
type publicKey struct {
	id     string
	method string // the only method it is for; empty: any method for keys of this kind
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

// groups reads a list of names, or a single name.
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
