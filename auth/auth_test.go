package auth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"holdfast/file"
)

// tokens are local tokens by their hash.
type tokens map[string]file.Token

func (t tokens) Token(_ context.Context, hash []byte) (file.Token, error) {
	if string(hash) == string(Hash("hf_down")) {
		return file.Token{}, file.ErrDatabase
	}
	if tok, ok := t[string(hash)]; ok {
		return tok, nil
	}
	return file.Token{}, file.ErrNotFound
}

func locals() tokens {
	return tokens{
		string(Hash("hf_good")):    {UserID: 7, AccountID: 3, Groups: []string{"staff"}},
		string(Hash("hf_service")): {AccountID: 3},
		string(Hash("good")):       {UserID: 9, AccountID: 9}, // not looked up without the prefix
	}
}

// request returns a request with these headers ("Name: value").
func request(method string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func TestIdentify(t *testing.T) {
	a := New(Options{Local: locals(), CacheTTL: time.Minute})
	for _, c := range []struct {
		method, header, cookie string
		user                   int64
		err                    error
	}{
		{"GET", "Bearer hf_good", "", 7, nil},
		{"POST", "bearer  hf_good ", "", 7, nil},
		{"PATCH", "Token hf_good", "", 7, nil},
		{"GET", "", "token=hf_good", 7, nil},
		{"HEAD", "", "file_service_auth=hf_good", 7, nil},
		{"GET", "Bearer hf_bad", "token=hf_good", 7, nil}, // the next token counts
		{"GET", "Bearer hf_bad", "file_service_auth=hf_bad; token=hf_good", 7, nil},
		{"GET", "Basic eHg6eHg=", "token=hf_good", 7, nil},
		{"POST", "", "token=hf_good", 0, file.ErrUnauthenticated},
		{"DELETE", "", "token=hf_good", 0, file.ErrUnauthenticated},
		{"GET", "", "", 0, file.ErrUnauthenticated},
		{"GET", "Bearer", "", 0, file.ErrUnauthenticated},
		{"GET", "Bearer ", "", 0, file.ErrUnauthenticated},
		{"GET", "Basic hf_good", "", 0, file.ErrUnauthenticated},
		{"GET", "hf_good", "", 0, file.ErrUnauthenticated},
		{"GET", "Bearer good", "", 0, file.ErrUnauthenticated},
		{"GET", "Bearer " + strings.Repeat("x", maxToken+1), "", 0, file.ErrUnauthenticated},
		{"GET", "Bearer hf_down", "token=hf_good", 0, file.ErrUnavailable}, // never anonymous, and never another identity
	} {
		r := request(c.method)
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		if c.cookie != "" {
			r.Header.Set("Cookie", c.cookie)
		}
		who, err := a.Identify(r)
		if !errors.Is(err, c.err) || who.UserID != c.user {
			t.Errorf("%s %q %q: %+v, %v", c.method, c.header, c.cookie, who, err)
		}
	}
	// A local token is never sent to the backend.
	for token, want := range map[string]file.Identity{
		"hf_good":    {Kind: file.KindUser, UserID: 7, AccountID: 3, Groups: []string{"staff"}},
		"hf_service": {Kind: file.KindService, AccountID: 3, Fingerprint: Fingerprint("hf_service")},
	} {
		who, err := a.Identify(request("GET", "Authorization: Bearer "+token))
		if diff := cmp.Diff(want, who); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", token, err, diff)
		}
	}
}

// The order in which tokens count, and the form in which each is sent to the backend.
func TestTokensOfARequest(t *testing.T) {
	all := []string{"Authorization: Bearer a", "Authorization: TOKEN b", "Authorization: Basic c",
		"X-Guest-Authorization: d.d.d", "X-Public-Authorization: Token e",
		"X-Public-Authorization: f", "Cookie: public-token=g; guest-token=h; token=i; file_service_auth=j; token=a; " +
			"other=k; token=l"}
	shown := func(tokens []presentedToken) (s []string) {
		for _, p := range tokens {
			name, value := p.credential().Reveal()
			s = append(s, name+": "+value)
		}
		return s
	}
	headers := []string{"Authorization: Bearer a", "Authorization: Bearer b", "X-Guest-Authorization: d.d.d",
		"X-Public-Authorization: Token e"}
	if diff := cmp.Diff(headers, shown(readTokens(request("POST", all...), false))); diff != "" {
		t.Error(diff)
	}
	// Token a is in a header and in a cookie, and is looked up once.
	cookies := []string{"Authorization: Bearer j", "Authorization: Bearer i", "Authorization: Bearer l",
		"X-Guest-Authorization: h", "X-Public-Authorization: Token g"}
	if diff := cmp.Diff(append(headers, cookies...), shown(readTokens(request("GET", all...), true))); diff != "" {
		t.Error(diff)
	}
	for _, value := range []string{"abcdefgh", "Token abcdefgh", "token abcdefgh", `"Token abcdefgh"`} {
		got := shown(readTokens(request("GET", "Cookie: public-token="+value), true))
		if !slices.Equal(got, []string{"X-Public-Authorization: Token abcdefgh"}) {
			t.Errorf("a cookie with %s: %q", value, got)
		}
	}
}

// A request may carry a few tokens, wherever they stand. If it carries more, none is looked up.
func TestManyTokens(t *testing.T) {
	asked := 0
	a := New(Options{Local: locals(), Guard: func(*http.Request, string) (func(error),
		error) {
		asked++
		return func(error) {}, nil
	}})
	many := func(n int, last ...string) *http.Request {
		var headers []string
		for i := range n {
			headers = append(headers, "Authorization: ", fmt.Sprint("Authorization: Bearer hf_", i), "X-Guest-Authorization:  ",
				"Cookie: token=")
		}
		return request("GET", append(headers, last...)...)
	}
	if who, err := a.Identify(many(maxPresented-1, "Authorization: Bearer hf_good")); err != nil || who.UserID != 7 ||
		asked != maxPresented {
		t.Errorf("%+v, %v, %d were looked up", who, err, asked)
	}
	asked = 0
	for _, n := range []int{maxPresented + 1, 1500} {
		for _, r := range []*http.Request{many(n), many(n, "Authorization: Bearer hf_good"),
			request("GET", "Authorization: Bearer hf_good", "Cookie: token=a"+strings.Repeat("; token=b; token=c; guest-token=d",
				1)+"; guest-token=e; public-token=f; public-token=g; file_service_auth=h; file_service_auth=i")} {
			if _, err := a.Identify(r); !errors.Is(err, file.ErrInvalid) || asked != 0 {
				t.Errorf("%d: %v, %d were looked up", n, err, asked)
			}
		}
	}
	// None of these presents a token.
	for _, r := range []*http.Request{
		request("GET", "Authorization: ", "Authorization: Basic YTpi", "Authorization: Bearer",
			"X-Public-Authorization: abcdefgh", "Cookie: token=; other=hf_good"),
		request("GET", "Authorization: Bearer "+strings.Repeat("a", maxToken+1)),
		request("DELETE", "Cookie: token=hf_good"),
	} {
		if _, err := a.Identify(r); !errors.Is(err, file.ErrUnauthenticated) || asked != 0 {
			t.Errorf("%v: %v, %d were looked up", r.Header, err, asked)
		}
	}
}

// The guard is called for each token that needs a lookup, and gets the result, but not the
// token itself. A token that it refuses is skipped.
func TestGuard(t *testing.T) {
	var heard []string
	refuse := false
	a := New(Options{Local: locals(), Guests: []byte(django), CacheTTL: time.Minute,
		Guard: func(_ *http.Request, fingerprint string) (func(error), error) {
			if refuse {
				return nil, &file.Later{Kind: file.ErrTooMany, After: time.Second}
			}
			if strings.Contains(fingerprint, "hf_") {
				t.Error("it was told a token")
			}
			return func(err error) { heard = append(heard, fmt.Sprint(err == nil, errors.Is(err, file.ErrNotFound))) }, nil
		}})
	guest := "X-Guest-Authorization: " + sign(t, jwt.SigningMethodHS256, []byte(django),
		claims(jwt.MapClaims{"token_type": "Guest"}), "")
	try := func(method string, headers ...string) error {
		_, err := a.Identify(request(method, headers...))
		return err
	}
	for _, c := range []struct {
		method  string
		headers []string
		err     error
		heard   []string
	}{
		{"GET", []string{"Authorization: Bearer hf_wrong"}, file.ErrUnauthenticated, []string{"false true"}},
		{"GET", []string{"Authorization: Bearer hf_wrong", "Cookie: token=hf_good"}, nil,
			[]string{"false true", "true false"}},
		{"GET", []string{"Cookie: token=hf_good"}, nil, nil}, // it is cached
		{"PATCH", []string{"Authorization: Bearer hf_good"}, nil, []string{"true false"}},
		{"PATCH", []string{"Authorization: Bearer hf_down"}, file.ErrDatabase, []string{"false false"}},
		{"GET", []string{"X-Guest-Authorization: a.b.c"}, file.ErrUnauthenticated, []string{"false true"}},
		{"GET", []string{guest}, nil, nil}, // a signature needs no lookup
	} {
		heard = nil
		if err := try(c.method, c.headers...); !errors.Is(err, c.err) || !slices.Equal(heard, c.heard) {
			t.Errorf("%s %q: %v, it heard %q, want %v, %q", c.method, c.headers, err, heard, c.err, c.heard)
		}
	}
	refuse = true
	if err := errors.Join(try("GET", "Authorization: Bearer hf_wrong", "Cookie: token=hf_good"),
		try("PATCH", "Authorization: Bearer hf_wrong", guest)); err != nil {
		t.Errorf("good tokens behind a refused one: %v", err)
	}
	for _, headers := range [][]string{{"Authorization: Bearer hf_wrong"}, {"X-Guest-Authorization: a.b.c"}} {
		if err := try("GET", headers...); !errors.Is(err, file.ErrTooMany) {
			t.Errorf("%q: %v", headers, err)
		}
	}
}

// No way of printing an identity shows its token.
func TestCredentialIsHidden(t *testing.T) {
	who := file.Identity{Kind: file.KindUser, UserID: 7, Credential: presentedToken{userScheme, "topsecret"}.credential()}
	var log strings.Builder
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("x", "who", who, "pointer", &who, "credential", who.Credential)
	}
	b, err := json.Marshal(who)
	said := fmt.Sprintf("%v %+v %#v %s %q %x", who, &who, who, who.Credential, who.Credential,
		who.Credential) + log.String() + string(b)
	if strings.Contains(said, "topsecret") || strings.Contains(said, fmt.Sprintf("%x", "topsecret")) || err != nil {
		t.Error(said, err)
	}
	if name, value := who.Credential.Reveal(); name != "Authorization" || value != "Bearer topsecret" {
		t.Error(name, value)
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add("Bearer hf_good", "a.b.c", "Token abcdefgh", "token=hf_good")
	f.Add("Token \x00", "", "token  x", "a=b; token=\"x\"; public-token=Token%20x; public-token=Token x")
	f.Fuzz(func(t *testing.T, authorization, guest, public, cookie string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header = http.Header{"Authorization": {authorization}, "X-Guest-Authorization": {guest},
			"X-Public-Authorization": {public}, "Cookie": {cookie}}
		given := authorization + guest + public + cookie
		for _, p := range readTokens(r, true) {
			if p.token == "" || len(p.token) > maxToken || p.token != strings.TrimSpace(p.token) ||
				!strings.Contains(given, p.token) {
				t.Errorf("%q", p)
			}
		}
		who, err := New(Options{Local: locals(), Guests: []byte(django)}).Identify(r)
		if err == nil && !strings.Contains(given, "hf_good") && !strings.Contains(given, "hf_service") {
			t.Errorf("%q is %+v", given, who)
		}
	})
}

func TestNewToken(t *testing.T) {
	a, b := NewToken(), NewToken()
	if a == b || !strings.HasPrefix(a, "hf_") || len(a) != 46 {
		t.Errorf("%q %q", a, b)
	}
	var seen [32][256]bool // which values each of its bytes had
	for range 100 {
		random, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(NewToken(), "hf_"))
		if err != nil || len(random) != len(seen) {
			t.Fatalf("%d bytes, %v", len(random), err)
		}
		for i, b := range random {
			seen[i][b] = true
		}
	}
	for i, values := range seen {
		n := 0
		for _, had := range values {
			if had {
				n++
			}
		}
		if n < 10 {
			t.Errorf("byte %d had %d values in 100 tokens", i, n)
		}
	}
	// Only its SHA-256 is stored.
	if want := sha256.Sum256([]byte(a)); !bytes.Equal(Hash(a), want[:]) {
		t.Errorf("of %q %q is kept", a, Hash(a))
	}
}
