package auth

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/file"
)

type counted struct {
	tokens
	asked int
}

func (c *counted) Token(ctx context.Context, hash []byte) (file.Token, error) {
	c.asked++
	return c.tokens.Token(ctx, hash)
}

// A revoked token may still read until the cache's TTL is over, but it can change nothing.
func TestRevokedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counted{tokens: locals()}
		a := New(Options{Local: c, CacheTTL: 10 * time.Second})
		defer a.cache.entries.Close()
		try := func(method string) error {
			_, err := a.Identify(request(method, "Authorization: Bearer hf_good"))
			return err
		}
		if err := errors.Join(try("GET"), try("HEAD"), try("GET")); err != nil || c.asked != 1 {
			t.Fatalf("%v, the database was asked %d times", err, c.asked)
		}
		delete(c.tokens, string(Hash("hf_good")))
		time.Sleep(9 * time.Second)
		if err := try("GET"); err != nil {
			t.Errorf("after 9 of 10 seconds: %v", err)
		}
		for _, method := range []string{"PATCH", "POST", "PUT", "DELETE"} {
			if err := try(method); !errors.Is(err, file.ErrUnauthenticated) {
				t.Errorf("%s with a revoked token: %v", method, err)
			}
		}
		time.Sleep(2 * time.Second)
		if err := try("GET"); !errors.Is(err, file.ErrUnauthenticated) {
			t.Errorf("after 11 of 10 seconds: %v", err)
		}
		// A token that does not exist is looked up each time: it may be created at any moment.
		before := c.asked
		_, _ = try("GET"), try("GET")
		if c.asked != before+2 {
			t.Errorf("asked %d times for a token that is not there, want 2", c.asked-before)
		}
	})
}

func TestTokenExpiresWhileCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counted{tokens: tokens{string(Hash("hf_good")): {UserID: 7, ExpiresAt: time.Now().Add(3 * time.Second)}}}
		a := New(Options{Local: c, CacheTTL: time.Minute})
		defer a.cache.entries.Close()
		try := func() error { _, err := a.Identify(request("GET", "Authorization: Bearer hf_good")); return err }
		if err := try(); err != nil {
			t.Fatal(err)
		}
		delete(c.tokens, string(Hash("hf_good")))
		time.Sleep(2 * time.Second)
		if err := try(); err != nil {
			t.Errorf("a second before it expires: %v", err)
		}
		time.Sleep(2 * time.Second)
		if err := try(); !errors.Is(err, file.ErrUnauthenticated) {
			t.Errorf("a second after it expired: %v", err)
		}
	})
}

// The same text under another scheme is another token.
func TestCachedByScheme(t *testing.T) {
	m := newTokenCache(time.Minute)
	good := func(context.Context) (bearer, error) { return bearer{}, nil }
	wrong := func(context.Context) (bearer, error) { return bearer{}, file.ErrNotFound }
	if _, err := m.find(t.Context(), presentedToken{publicScheme, "abcdefgh"}, good); err != nil {
		t.Fatal(err)
	}
	if _, err := m.find(t.Context(), presentedToken{userScheme, "abcdefgh"}, wrong); !errors.Is(err, file.ErrNotFound) {
		t.Error(err)
	}
}

// Wrong tokens use no memory, however many there are.
func TestWrongTokensAreNotCached(t *testing.T) {
	a := New(Options{Local: locals(), CacheTTL: time.Minute})
	for i := range 100_000 {
		if _, err := a.Identify(request("GET", fmt.Sprintf("Authorization: Bearer hf_%d",
			i))); !errors.Is(err, file.ErrUnauthenticated) {
			t.Fatal(err)
		}
	}
	if n := a.cache.entries.Len(); n != 0 {
		t.Errorf("%d are cached", n)
	}
}
