package auth

import (
	"context"
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
		string(Hash("good")):       {UserID: 9, AccountID: 9}, // without the prefix it is not asked for
	}
}

// request has headers as "Name: value".
func request(method string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func TestIdentify(t *testing.T) {
	a := New(Options{Local: locals(), Remember: time.Minute})
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
		{"GET", "Bearer hf_bad", "token=hf_good", 7, nil}, // falls through
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
		{"GET", "Bearer hf_down", "token=hf_good", 0, file.ErrUnavailable}, // never "nobody", nor somebody else
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
	// The backend is never told a token that is ours.
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

// The order in which tokens count, and in what form the backend is asked with each.
func TestTokensOfARequest(t *testing.T) {
	all := []string{"Authorization: Bearer a", "Authorization: TOKEN b", "Authorization: Basic c", "X-Guest-Authorization: d.d.d", "X-Public-Authorization: Token e",
		"X-Public-Authorization: f", "Cookie: public-token=g; guest-token=h; token=i; file_service_auth=j; token=a; other=k; token=l"}
	shown := func(tokens []presented) (s []string) {
		for _, p := range tokens {
			name, value := p.credential().Reveal()
			s = append(s, name+": "+value)
		}
		return s
	}
	headers := []string{"Authorization: Bearer a", "Authorization: Bearer b", "X-Guest-Authorization: d.d.d", "X-Public-Authorization: Token e"}
	if diff := cmp.Diff(headers, shown(read(request("POST", all...), false))); diff != "" {
		t.Error(diff)
	}
	// a is in both, and looked up once.
	cookies := []string{"Authorization: Bearer j", "Authorization: Bearer i", "Authorization: Bearer l", "X-Guest-Authorization: h", "X-Public-Authorization: Token g"}
	if diff := cmp.Diff(append(headers, cookies...), shown(read(request("GET", all...), true))); diff != "" {
		t.Error(diff)
	}
	for _, value := range []string{"abcdefgh", "Token abcdefgh", "token abcdefgh", `"Token abcdefgh"`} {
		got := shown(read(request("GET", "Cookie: public-token="+value), true))
		if !slices.Equal(got, []string{"X-Public-Authorization: Token abcdefgh"}) {
			t.Errorf("a cookie with %s: %q", value, got)
		}
	}
}

// However an identity is printed, the token does not show.
func TestCredentialIsHidden(t *testing.T) {
	who := file.Identity{Kind: file.KindUser, UserID: 7, Credential: presented{userScheme, "topsecret"}.credential()}
	var log strings.Builder
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("x", "who", who, "pointer", &who, "credential", who.Credential)
	}
	b, err := json.Marshal(who)
	said := fmt.Sprintf("%v %+v %#v %s %q %x", who, &who, who, who.Credential, who.Credential, who.Credential) + log.String() + string(b)
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
		r.Header = http.Header{"Authorization": {authorization}, "X-Guest-Authorization": {guest}, "X-Public-Authorization": {public}, "Cookie": {cookie}}
		given := authorization + guest + public + cookie
		for _, p := range read(r, true) {
			if p.token == "" || len(p.token) > maxToken || p.token != strings.TrimSpace(p.token) || !strings.Contains(given, p.token) {
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
}
