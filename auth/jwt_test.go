package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"holdfast/file"
)

const django = "django_secret_django_secret_django_secret"

func TestGuestTokens(t *testing.T) {
	vectors := load[struct {
		Secret string
		Tokens []struct {
			Name, JWT string
			Identity  *ids
		}
	}](t, "guest_jwts.json")
	for _, v := range vectors.Tokens {
		f, err := guestTokens(vectors.Secret).find(t.Context(), v.JWT)
		if v.Identity == nil {
			if !errors.Is(err, file.ErrNotFound) {
				t.Errorf("%s: %+v, %v", v.Name, f, err)
			}
			continue
		}
		if err != nil || f.who.Kind != file.KindGuest || (ids{f.who.UserID, f.who.AccountID}) != *v.Identity ||
			f.until.Unix() != 4102444800 {
			t.Errorf("%s: %+v, %v", v.Name, f, err)
		}
	}
}

// claims are those of a guest's good token, with changes; a nil value removes a claim.
func claims(changes jwt.MapClaims) jwt.MapClaims {
	c := jwt.MapClaims{"token_type": "Guest", "exp": time.Now().Add(time.Hour).Unix(), "user_id": 11, "account_id": 5}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func sign(t testing.TB, method jwt.SigningMethod, key any, c jwt.MapClaims, id string) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	if id != "" {
		token.Header["kid"] = id
	}
	s, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatGuestTokensSay(t *testing.T) {
	now := time.Now().Unix()
	for _, c := range []struct {
		name    string
		changes jwt.MapClaims
		good    bool
	}{
		{"as it is", nil, true},
		{"made and begun a moment ago", jwt.MapClaims{"iat": now - 1, "nbf": now - 1}, true},
		{"digits", jwt.MapClaims{"user_id": "11", "account_id": "5"}, true},
		{"ended", jwt.MapClaims{"exp": now - 1}, false},
		{"without an end", jwt.MapClaims{"exp": nil}, false},
		{"an end that is a text", jwt.MapClaims{"exp": "4102444800"}, false},
		{"begins in the future", jwt.MapClaims{"nbf": now + 1000}, false},
		{"made in the future", jwt.MapClaims{"iat": now + 1000}, false},
		{"another type", jwt.MapClaims{"token_type": "access"}, false},
		{"another case", jwt.MapClaims{"token_type": "guest"}, false},
		{"no type", jwt.MapClaims{"token_type": nil}, false},
		{"a list of types", jwt.MapClaims{"token_type": []string{"Guest"}}, false},
		{"no user", jwt.MapClaims{"user_id": nil}, false},
		{"user 0", jwt.MapClaims{"user_id": 0}, false},
		{"user -1", jwt.MapClaims{"user_id": -1}, false},
		{"half a user", jwt.MapClaims{"user_id": 1.5}, false},
		{"true", jwt.MapClaims{"user_id": true}, false},
		{"a list", jwt.MapClaims{"user_id": []int{11}}, false},
		{"an exponent", jwt.MapClaims{"user_id": json.RawMessage("11e0")}, false},
		{"2^63", jwt.MapClaims{"user_id": json.RawMessage("9223372036854775808")}, false},
		{"signed digits", jwt.MapClaims{"account_id": "+5"}, false},
		{"digits of another script", jwt.MapClaims{"account_id": "٥"}, false},
		{"no digits", jwt.MapClaims{"account_id": ""}, false},
		{"a space", jwt.MapClaims{"account_id": " 5"}, false},
	} {
		f, err := guestTokens(django).find(t.Context(), sign(t, jwt.SigningMethodHS256, []byte(django), claims(c.changes),
			""))
		if good := err == nil && f.who.UserID == 11 && f.who.AccountID == 5; good != c.good || err != nil &&
			!errors.Is(err, file.ErrNotFound) {
			t.Errorf("%s: %+v, %v", c.name, f, err)
		}
	}
}

// provider is an OpenID provider's key set.
type provider struct {
	*httptest.Server
	asked, status atomic.Int64
	keys          atomic.Pointer[[]map[string]any]
}

func newProvider(t *testing.T, keys ...map[string]any) *provider {
	p := &provider{}
	p.keys.Store(&keys)
	p.status.Store(200)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		w.WriteHeader(int(p.status.Load()))
		json.NewEncoder(w).Encode(map[string]any{"keys": *p.keys.Load()})
	}))
	t.Cleanup(p.Close)
	return p
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func rsaKey(t *testing.T) (*rsa.PrivateKey, map[string]any) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k, map[string]any{"kty": "RSA", "kid": "rsa", "alg": "RS256", "use": "sig", "n": b64(k.N.Bytes()),
		"e": b64(big.NewInt(int64(k.E)).Bytes())}
}

func ecKey(t *testing.T) (*ecdsa.PrivateKey, map[string]any) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := k.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	return k, map[string]any{"kty": "EC", "kid": "ec", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
}

func edKey(t *testing.T) (ed25519.PrivateKey, map[string]any) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private, map[string]any{"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": b64(public)}
}

const (
	secret = "a secret of more than 32 characters"
	issuer = "https://id.example.org"
)

func signedBy(url, secret string) *Signed {
	return NewSigned(SignedOptions{KeysURL: url, Secret: []byte(secret), Issuer: issuer, Audience: "files",
		UserClaim: "sub", AccountClaim: "tenant", GroupsClaim: "roles"})
}

// person are the claims of a good token of the provider, with changes.
func person(changes jwt.MapClaims) jwt.MapClaims {
	c := claims(jwt.MapClaims{"token_type": nil, "user_id": nil, "account_id": nil,
		"sub": "7", "tenant": 3, "roles": []string{"staff", "board"}, "iss": issuer, "aud": []string{"other", "files"}})
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// signers makes tokens by each key that the provider publishes, and by some that it does not.
type signers struct {
	*testing.T
	rsa, stranger *rsa.PrivateKey
	ec            *ecdsa.PrivateKey
	ed            ed25519.PrivateKey
	// Identities that trust the provider's keys and the secret, and only one of the two.
	both, keysOnly, secretOnly *Signed
	provider                   *provider
}

func newSigners(t *testing.T) *signers {
	t.Helper()
	s := &signers{T: t}
	var rsJWK, ecJWK, edJWK map[string]any
	s.rsa, rsJWK = rsaKey(t)
	s.ec, ecJWK = ecKey(t)
	s.ed, edJWK = edKey(t)
	s.stranger, _ = rsaKey(t)
	forOthers := maps.Clone(rsJWK) // the same key, declared for another method only
	forOthers["kid"], forOthers["alg"] = "pss", "PS256"
	s.provider = newProvider(t, rsJWK, ecJWK, edJWK, forOthers,
		map[string]any{"kty": "oct", "kid": "oct", "k": b64([]byte(secret))},
		map[string]any{"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"})
	s.both, s.keysOnly = signedBy(s.provider.URL, secret), signedBy(s.provider.URL, "")
	s.secretOnly = signedBy("", secret)
	return s
}

// by signs the claims of a good token.
func (s *signers) by(method jwt.SigningMethod, key any, kid string) string {
	return sign(s.T, method, key, person(nil), kid)
}

// unsigned has this header and the claims of a good token, and no signature.
func (s *signers) unsigned(header string) string {
	payload, err := json.Marshal(person(nil))
	if err != nil {
		s.Fatal(err)
	}
	return b64([]byte(header)) + "." + b64(payload) + "."
}

// claiming signs other claims with the secret.
func (s *signers) claiming(changes jwt.MapClaims) string {
	return sign(s.T, jwt.SigningMethodHS256, []byte(secret), person(changes), "")
}

type signedCase struct {
	name  string
	by    *Signed
	token string
}

func TestSignedTokens(t *testing.T) {
	s := newSigners(t)
	for _, group := range []struct {
		name  string
		good  bool
		cases []signedCase
	}{
		{"accepted", true, s.accepted()},
		{"another algorithm or key", false, s.wrongKeys()},
		{"other claims", false, s.wrongClaims()},
		{"not signed", false, s.unsignedTokens()},
	} {
		for _, c := range group.cases {
			f, err := c.by.find(t.Context(), c.token)
			isGood := err == nil && f.who.Kind == file.KindUser && f.who.UserID == 7 && f.who.AccountID == 3 &&
				slices.Equal(f.who.Groups, []string{"staff", "board"})
			if isGood != group.good || err != nil && !errors.Is(err, file.ErrNotFound) {
				t.Errorf("%s: %s: %+v, %v", group.name, c.name, f, err)
			}
		}
	}
	if n := s.provider.asked.Load(); n > 2 { // by both and by keysOnly
		t.Errorf("the keys were fetched %d times", n)
	}
}

func (s *signers) accepted() []signedCase {
	return []signedCase{
		{"RS256", s.both, s.by(jwt.SigningMethodRS256, s.rsa, "rsa")},
		{"ES256", s.both, s.by(jwt.SigningMethodES256, s.ec, "ec")},
		{"EdDSA", s.both, s.by(jwt.SigningMethodEdDSA, s.ed, "ed")},
		{"HS256", s.both, s.claiming(nil)},
		{"HS256, no provider", s.secretOnly, s.claiming(nil)},
		{"without a key's id", s.both, s.by(jwt.SigningMethodES256, s.ec, "")},
		{"a clock that is 10 s off", s.both, s.claiming(jwt.MapClaims{"iat": time.Now().Unix() + 10})},
	}
}

func (s *signers) wrongKeys() []signedCase {
	hs, rs := jwt.SigningMethodHS256, jwt.SigningMethodRS256
	der, err := x509.MarshalPKIXPublicKey(&s.rsa.PublicKey)
	if err != nil {
		s.Fatal(err)
	}
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return []signedCase{
		{"HS256 by the public key as PEM", s.keysOnly, s.by(hs, asPEM, "rsa")},
		{"HS256 by the public key as PEM, with a secret", s.both, s.by(hs, asPEM, "rsa")},
		{"HS256 by the public key as DER", s.both, s.by(hs, der, "rsa")},
		{"HS256 by the modulus", s.both, s.by(hs, s.rsa.N.Bytes(), "rsa")},
		{"HS256 by an empty key", s.keysOnly, s.by(hs, []byte{}, "")},
		{"HS256 by a symmetric key of the provider", s.keysOnly, s.by(hs, []byte(secret), "oct")},
		{"RS256 without a provider", s.secretOnly, s.by(rs, s.rsa, "rsa")},
		{"RS512", s.both, s.by(jwt.SigningMethodRS512, s.rsa, "rsa")},
		{"PS256", s.both, s.by(jwt.SigningMethodPS256, s.rsa, "rsa")},
		{"RS256 by a key for PS256", s.both, s.by(rs, s.rsa, "pss")},
		{"by a stranger's key under this id", s.both, s.by(rs, s.stranger, "rsa")},
		{"by another key of the provider", s.both, s.by(jwt.SigningMethodES256, s.ec, "rsa")},
	}
}

func (s *signers) wrongClaims() []signedCase {
	now := time.Now().Unix()
	return []signedCase{
		{"expired", s.both, s.claiming(jwt.MapClaims{"exp": now - 60})},
		{"no expiry", s.both, s.claiming(jwt.MapClaims{"exp": nil})},
		{"begins in the future", s.both, s.claiming(jwt.MapClaims{"nbf": now + 100})},
		{"made in the future", s.both, s.claiming(jwt.MapClaims{"iat": now + 100})},
		{"another issuer", s.both, s.claiming(jwt.MapClaims{"iss": "https://id.example.org.evil"})},
		{"no issuer", s.both, s.claiming(jwt.MapClaims{"iss": nil})},
		{"another audience", s.both, s.claiming(jwt.MapClaims{"aud": "other"})},
		{"no audience", s.both, s.claiming(jwt.MapClaims{"aud": nil})},
		{"no account", s.both, s.claiming(jwt.MapClaims{"tenant": nil})},
		{"a user that is a name", s.both, s.claiming(jwt.MapClaims{"sub": "auth0|7"})},
		{"a guest's", s.both, s.claiming(jwt.MapClaims{"token_type": "Guest"})},
	}
}

func (s *signers) unsignedTokens() []signedCase {
	signature := strings.Split(s.by(jwt.SigningMethodRS256, s.rsa, "rsa"), ".")[2]
	return []signedCase{
		{"none", s.both, s.by(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "")},
		{"None", s.both, s.unsigned(`{"alg":"None"}`)},
		{"no algorithm", s.both, s.unsigned(`{}`)},
		{"no signature", s.both, s.unsigned(`{"alg":"RS256","kid":"rsa"}`)},
		{"a signature by another algorithm", s.both, s.unsigned(`{"alg":"ES256","kid":"ec"}`) + signature},
		{"dots", s.both, ".."},
		{"not a token at all", s.both, "hello"},
		{"five parts", s.both, "a.b.c.d.e"},
	}
}
