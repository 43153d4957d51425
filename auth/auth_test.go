package auth

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/file"
)

type tokens map[string]file.Token

func (t tokens) Token(_ context.Context, hash []byte) (file.Token, error) {
	if string(hash) == string(Hash("down")) {
		return file.Token{}, file.ErrDatabase
	}
	if tok, ok := t[string(hash)]; ok {
		return tok, nil
	}
	return file.Token{}, file.ErrNotFound
}

func TestIdentify(t *testing.T) {
	a := New(tokens{string(Hash("good")): {UserID: 7, AccountID: 3}}, time.Minute)
	for _, c := range []struct {
		method, header, cookie string
		user                   int64
		err                    error
	}{
		{"GET", "Bearer good", "", 7, nil},
		{"POST", "bearer  good ", "", 7, nil},
		{"PATCH", "Token good", "", 7, nil},
		{"GET", "", "token=good", 7, nil},
		{"HEAD", "", "file_service_auth=good", 7, nil},
		{"GET", "Bearer bad", "token=good", 7, nil}, // falls through
		{"GET", "Bearer bad", "file_service_auth=bad; token=good", 7, nil},
		{"POST", "", "token=good", 0, file.ErrUnauthenticated},
		{"DELETE", "", "token=good", 0, file.ErrUnauthenticated},
		{"GET", "", "", 0, file.ErrUnauthenticated},
		{"GET", "Bearer", "", 0, file.ErrUnauthenticated},
		{"GET", "Bearer ", "", 0, file.ErrUnauthenticated},
		{"GET", "Basic good", "", 0, file.ErrUnauthenticated},
		{"GET", "good", "", 0, file.ErrUnauthenticated},
		{"GET", "Bearer " + strings.Repeat("x", 5000), "", 0, file.ErrUnauthenticated},
		{"GET", "Bearer down", "token=good", 0, file.ErrUnavailable}, // never "nobody"
	} {
		r := httptest.NewRequest(c.method, "/", nil)
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
}

func FuzzIdentify(f *testing.F) {
	f.Add("Bearer good", "token=good")
	f.Add("Token \x00", "a=b; token=\"x\"")
	a := New(tokens{}, 0)
	f.Fuzz(func(t *testing.T, header, cookie string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{header}
		r.Header["Cookie"] = []string{cookie}
		if who, err := a.Identify(r); err == nil {
			t.Errorf("%q %q is %+v", header, cookie, who)
		}
	})
}

func TestNewToken(t *testing.T) {
	a, b := NewToken(), NewToken()
	if a == b || !strings.HasPrefix(a, "hf_") || len(a) != 46 {
		t.Errorf("%q %q", a, b)
	}
}
