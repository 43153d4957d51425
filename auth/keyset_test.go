package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"holdfast/file"
)

// The provider is down when the service starts, comes up, changes its keys, and goes down again.
func TestProviderThatComesAndGoes(t *testing.T) {
	first, firstJWK := ecKey(t)
	second, secondJWK := ecKey(t)
	secondJWK["kid"] = "next"
	synctest.Test(t, func(t *testing.T) {
		status, asked, keys := 500, 0, []map[string]any{firstJWK}
		s := signedBy("http://provider/keys", "")
		s.keys.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			asked++
			w := httptest.NewRecorder()
			w.WriteHeader(status)
			json.NewEncoder(w).Encode(map[string]any{"keys": keys})
			return w.Result(), nil
		})
		c := person(jwt.MapClaims{"exp": time.Now().Add(100 * time.Hour).Unix()})
		old, fresh := sign(t, jwt.SigningMethodES256, first, c, "ec"), sign(t, jwt.SigningMethodES256, second, c, "next")
		try := func(token string, want error) {
			t.Helper()
			if _, err := s.find(t.Context(), token); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
		for range 100 {
			try(old, file.ErrProvider)
		}
		if asked != 1 {
			t.Errorf("asked %d times in no time", asked)
		}
		status = 200
		time.Sleep(keysPause)
		try(old, nil)
		for range 100 {
			try(fresh, file.ErrNotFound) // an unknown key id
		}
		keys = []map[string]any{firstJWK, secondJWK}
		time.Sleep(keysPause)
		before := asked
		try(fresh, nil)
		try(old, nil)
		if asked != before+1 {
			t.Errorf("asked %d times for a new key", asked-before)
		}
		status = 503
		time.Sleep(2 * keysTTL)
		try(fresh, nil) // known keys stay good
		status, keys = 200, []map[string]any{secondJWK}
		time.Sleep(keysPause)
		try(fresh, nil)
		try(old, file.ErrNotFound) // the provider withdrew it
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// An endless key set is read only up to the limit.
func TestKeySetWithoutEnd(t *testing.T) {
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`{"keys": ["`))
		for r.Context().Err() == nil {
			n, err := w.Write([]byte(strings.Repeat("a", 32<<10)))
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	if _, err := newKeySet(server.URL).find(t.Context(), "x"); !errors.Is(err, file.ErrProvider) {
		t.Error(err)
	}
	if n := sent.Load(); n > 32<<20 { // most of it is in the connection's buffers
		t.Errorf("%d bytes were taken", n)
	}
}

// Keys come only from the configured URL; redirects are not followed.
func TestKeySetElsewhere(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter,
		*http.Request) {
		t.Error("keys were fetched elsewhere")
	}))
	defer elsewhere.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		provider := httptest.NewServer(http.RedirectHandler(elsewhere.URL, code))
		defer provider.Close()
		if _, err := newKeySet(provider.URL).find(t.Context(), ""); !errors.Is(err, file.ErrProvider) {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// A good token that was changed in any way never becomes another identity.
func FuzzGuestToken(f *testing.F) {
	good := sign(f, jwt.SigningMethodHS256, []byte(django),
		jwt.MapClaims{"token_type": "Guest", "exp": 4102444800, "user_id": 11, "account_id": 5}, "")
	f.Add(good)
	f.Add("..")
	f.Add(strings.ReplaceAll(good, ".", ".."))
	f.Fuzz(func(t *testing.T, token string) {
		if g, err := guestTokens(django).find(context.Background(), token); err == nil &&
			(g.who.UserID != 11 || g.who.AccountID != 5) {
			t.Errorf("%q is %+v", token, g.who)
		}
	})
}

// For any claims, ids are above 0 and exactly as written, and every token expires.
func FuzzClaims(f *testing.F) {
	f.Add(`{"token_type":"Guest","exp":4102444800,"user_id":"11","account_id":5}`)
	f.Add(`{"token_type":"Guest","exp":1e400,"user_id":9223372036854775808,"account_id":"-5"}`)
	f.Add(`{"exp":null,"user_id":{},"account_id":[]}`)
	f.Fuzz(func(t *testing.T, payload string) {
		unsigned := b64([]byte(`{"alg":"HS256"}`)) + "." + b64([]byte(payload))
		mac, err := jwt.SigningMethodHS256.Sign(unsigned, []byte(django))
		if err != nil {
			t.Fatal(err)
		}
		g, err := guestTokens(django).find(context.Background(), unsigned+"."+b64(mac))
		if err == nil && (g.who.UserID < 1 || g.who.AccountID < 1 || !g.until.After(time.Now())) {
			t.Errorf("%s is %+v until %s", payload, g.who, g.until)
		}
	})
}
