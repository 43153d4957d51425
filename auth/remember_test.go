package auth

import (
	"context"
	"errors"
	"net/http/httptest"
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

// A token that was good reads on for as long as is promised, and changes nothing.
func TestRevokedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counted{tokens: tokens{string(Hash("good")): {UserID: 7, AccountID: 3}}}
		a := New(c, 10*time.Second)
		defer a.known.(*memory).known.StopAllGoroutines()
		try := func(method string) error {
			r := httptest.NewRequest(method, "/", nil)
			r.Header.Set("Authorization", "Bearer good")
			_, err := a.Identify(r)
			return err
		}
		if err := errors.Join(try("GET"), try("HEAD"), try("GET")); err != nil || c.asked != 1 {
			t.Fatalf("%v, the database was asked %d times", err, c.asked)
		}
		delete(c.tokens, string(Hash("good")))
		time.Sleep(9 * time.Second)
		if err := try("GET"); err != nil {
			t.Errorf("after 9 of 10 seconds: %v", err)
		}
		for _, method := range []string{"PATCH", "POST", "DELETE"} {
			if err := try(method); !errors.Is(err, file.ErrUnauthenticated) {
				t.Errorf("%s with a revoked token: %v", method, err)
			}
		}
		time.Sleep(2 * time.Second)
		if err := try("GET"); !errors.Is(err, file.ErrUnauthenticated) {
			t.Errorf("after 11 of 10 seconds: %v", err)
		}
		// What is not there is asked for each time: it may be made at any moment.
		before := c.asked
		_, _ = try("GET"), try("GET")
		if c.asked != before+2 {
			t.Errorf("asked %d times for a token that is not there, want 2", c.asked-before)
		}
	})
}

func TestTokenExpiresWhileRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counted{tokens: tokens{string(Hash("good")): {UserID: 7, ExpiresAt: time.Now().Add(3 * time.Second)}}}
		m := remember(c, time.Minute).(*memory)
		defer m.known.StopAllGoroutines()
		if _, err := m.Token(t.Context(), Hash("good")); err != nil {
			t.Fatal(err)
		}
		delete(c.tokens, string(Hash("good")))
		time.Sleep(2 * time.Second)
		if _, err := m.Token(t.Context(), Hash("good")); err != nil {
			t.Errorf("a second before it expires: %v", err)
		}
		time.Sleep(2 * time.Second)
		if _, err := m.Token(t.Context(), Hash("good")); !errors.Is(err, file.ErrNotFound) {
			t.Errorf("a second after it expired: %v", err)
		}
	})
}
