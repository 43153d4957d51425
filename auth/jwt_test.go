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

func TestSignedTokens(t *testing.T) {
	rs, rsJWK := rsaKey(t)
	ec, ecJWK := ecKey(t)
	ed, edJWK := edKey(t)
	stranger, _ := rsaKey(t)
	forOthers := maps.Clone(rsJWK) // the same key, declared for another method only
	forOthers["kid"], forOthers["alg"] = "pss", "PS256"
	p := newProvider(t, rsJWK, ecJWK, edJWK, forOthers, map[string]any{"kty": "oct", "kid": "oct",
		"k": b64([]byte(secret))},
		map[string]any{"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"})
	der, err := x509.MarshalPKIXPublicKey(&rs.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	hs, none := jwt.SigningMethodHS256, jwt.SigningMethodNone
	good := person(nil)
	parts := func(header string) string {
		payload, _ := json.Marshal(good)
		return b64([]byte(header)) + "." + b64(payload) + "."
	}
	signature := strings.Split(sign(t, jwt.SigningMethodRS256, rs, good, "rsa"), ".")[2]

	withBoth, keysOnly, secretOnly := signedBy(p.URL, secret), signedBy(p.URL, ""), signedBy("", secret)
	for _, c := range []struct {
		name  string
		by    *Signed
		token string
		good  bool
	}{
		{"RS256", withBoth, sign(t, jwt.SigningMethodRS256, rs, good, "rsa"), true},
		{"ES256", withBoth, sign(t, jwt.SigningMethodES256, ec, good, "ec"), true},
		{"EdDSA", withBoth, sign(t, jwt.SigningMethodEdDSA, ed, good, "ed"), true},
		{"HS256", withBoth, sign(t, hs, []byte(secret), good, ""), true},
		{"HS256, no provider", secretOnly, sign(t, hs, []byte(secret), good, ""), true},
		{"without a key's id", withBoth, sign(t, jwt.SigningMethodES256, ec, good, ""), true},
		{"a clock that is 10 s off", withBoth, sign(t, hs, []byte(secret),
			person(jwt.MapClaims{"iat": time.Now().Unix() + 10}), ""), true},
		{"none", withBoth, sign(t, none, jwt.UnsafeAllowNoneSignatureType, good, ""), false},
		{"None", withBoth, parts(`{"alg":"None"}`), false},
		{"no method", withBoth, parts(`{}`), false},
		{"no signature", withBoth, parts(`{"alg":"RS256","kid":"rsa"}`), false},
		{"HS256 by the public key as PEM", keysOnly, sign(t, hs, asPEM, good, "rsa"), false},
		{"HS256 by the public key as PEM, with a secret", withBoth, sign(t, hs, asPEM, good, "rsa"), false},
		{"HS256 by the public key as DER", withBoth, sign(t, hs, der, good, "rsa"), false},
		{"HS256 by the modulus", withBoth, sign(t, hs, rs.N.Bytes(), good, "rsa"), false},
		{"HS256 by an empty key", keysOnly, sign(t, hs, []byte{}, good, ""), false},
		{"HS256 by a symmetric key of the provider", keysOnly, sign(t, hs, []byte(secret), good, "oct"), false},
		{"RS256 without a provider", secretOnly, sign(t, jwt.SigningMethodRS256, rs, good, "rsa"), false},
		{"RS512", withBoth, sign(t, jwt.SigningMethodRS512, rs, good, "rsa"), false},
		{"PS256", withBoth, sign(t, jwt.SigningMethodPS256, rs, good, "rsa"), false},
		{"RS256 by a key for PS256", withBoth, sign(t, jwt.SigningMethodRS256, rs, good, "pss"), false},
		{"by a stranger's key under this id", withBoth, sign(t, jwt.SigningMethodRS256, stranger, good, "rsa"), false},
		{"by another key of the provider", withBoth, sign(t, jwt.SigningMethodES256, ec, good, "rsa"), false},
		{"a signature by another method", withBoth, parts(`{"alg":"ES256","kid":"ec"}`) + signature, false},
		{"ended", withBoth, sign(t, hs, []byte(secret), person(jwt.MapClaims{"exp": time.Now().Unix() - 60}), ""), false},
		{"no end", withBoth, sign(t, hs, []byte(secret), person(jwt.MapClaims{"exp": nil}), ""), false},
		{"begins in the future", withBoth, sign(t, hs, []byte(secret), person(jwt.MapClaims{"nbf": time.Now().Unix() + 100}),
			""), false},
		{"made in the future", withBoth, sign(t, hs, []byte(secret), person(jwt.MapClaims{"iat": time.Now().Unix() + 100}),
			""), false},
		{"another issuer", withBoth, sign(t, hs, []byte(secret), person(jwt.MapClaims{"iss": "https://id.example.org.evil"}),
			""), false},
		{"no issuer", withBoth, sign(t, hs, []byte(secret), person(jwt.MapClaims{"iss": nil}), ""), false},
		{"for others", withBoth, sign(t, hs, []byte(secret), person(jwt.MapClaims{"aud": "other"}), ""), false},
		{"for nobody", withBoth, sign(t, hs, []byte(secret), person(jwt.MapClaims{"aud": nil}), ""), false},
		{"no account", withBoth, sign(t, hs, []byte(secret), person(jwt.MapClaims{"tenant": nil}), ""), false},
		{"a user that is a name", withBoth, sign(t, hs, []byte(secret), person(jwt.MapClaims{"sub": "auth0|7"}), ""), false},
		{"a guest's", withBoth, sign(t, hs, []byte(secret), person(jwt.MapClaims{"token_type": "Guest"}), ""), false},
		{"dots", withBoth, "..", false},
		{"not signed at all", withBoth, "hello", false},
		{"five parts", withBoth, "a.b.c.d.e", false},
	} {
		f, err := c.by.find(t.Context(), c.token)
		isGood := err == nil && f.who.Kind == file.KindUser && f.who.UserID == 7 && f.who.AccountID == 3 &&
			slices.Equal(f.who.Groups, []string{"staff", "board"})
		if isGood != c.good || err != nil && !errors.Is(err, file.ErrNotFound) {
			t.Errorf("%s: %+v, %v", c.name, f, err)
		}
	}
	if n := p.asked.Load(); n > 2 { // by withBoth and by keysOnly
		t.Errorf("the keys were fetched %d times", n)
	}
}
