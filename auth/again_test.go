package auth

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/file"
)

// A request that runs for longer than a moment is identified anew before it changes something: neither is its token
// taken from the cache, nor does a client that goes away end the lookup.
func TestAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counted{tokens: tokens{string(Hash("hf_good")): {UserID: 7, AccountID: 1}}}
		a := New(Options{Local: c, CacheTTL: time.Hour})
		defer a.cache.entries.Close()
		if _, err := a.Identify(request("GET", "Authorization: Bearer hf_good")); err != nil {
			t.Fatal(err)
		}
		client, leave := context.WithCancel(t.Context())
		r, who, err := Enter(request("PATCH", "Authorization: Bearer hf_good").WithContext(client), a.Identify)
		if known, _ := FromContext(r.Context()); err != nil || who.UserID != 7 || !known.Same(who) {
			t.Fatal(who, err)
		}
		c.asked = 0
		ctx := context.WithoutCancel(r.Context()) // as the engine has it
		expect := func(what string, ctx context.Context, want error, asked int) {
			t.Helper()
			if err := Again(ctx, Moment); !errors.Is(err, want) || c.asked != asked {
				t.Errorf("%s: %v, the database was asked %d times, want %v and %d", what, err, c.asked, want, asked)
			}
		}
		time.Sleep(Moment - 1)
		expect("within a moment", ctx, nil, 0)
		time.Sleep(time.Nanosecond)
		leave()
		expect("after it, while its client is away", ctx, nil, 1)
		c.tokens[string(Hash("hf_good"))] = file.Token{UserID: 8, AccountID: 1}
		expect("of another caller", ctx, file.ErrDenied, 2)
		delete(c.tokens, string(Hash("hf_good")))
		expect("revoked", ctx, file.ErrUnauthenticated, 3)
		expect("without a request", t.Context(), nil, 3)
	})
}
