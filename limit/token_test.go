package limit

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/redistest"
	"holdfast/problem"
)

func from(address string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = address + ":1"
	return r
}

// try presents a token that is good or not, and returns the result.
func (l *Limits) try(address, token string, good bool) string {
	done, err := l.Token(from(address), token)
	switch {
	case errors.Is(err, file.ErrTooMany):
		return "refused"
	case err != nil:
		return err.Error()
	case good:
		done(nil)
		return "good"
	}
	done(file.ErrNotFound)
	return "wrong"
}

func strict(c Counter) *Limits {
	return New(c, Settings{Failures: Rate{Count: 3, Window: time.Hour}})
}

func TestTokens(t *testing.T) {
	counters(t, func(t *testing.T, c Counter) {
		l := strict(c)
		const office, home = "192.0.2.1", "192.0.2.2"
		for i, step := range []struct {
			address, token string
			good           bool
			want           string
		}{
			// Good tokens are no guesses, however many there are.
			{office, "anna", true, "good"}, {office, "bert", true, "good"}, {office, "carl", true, "good"},
			{office, "dora", true, "good"},
			// An old cookie counts as one guess. When it is repeated too often, only this cookie is refused.
			{office, "old", false, "wrong"}, {office, "old", false, "wrong"}, {office, "old", false, "wrong"},
			{office, "old", false, "refused"},
			{office, "guess 1", false, "wrong"}, {office, "guess 2", false, "wrong"},
			{office, "guess 3", false, "refused"}, {office, "guess 4", false, "refused"}, {office, "guess 1", false, "wrong"},
			// Meanwhile known tokens are looked up, and new ones are refused.
			{office, "anna", true, "good"}, {office, "dora", true, "good"}, {office, "emil", true, "refused"},
			{home, "emil", true, "good"}, {office, "emil", true, "good"},
			{home, "guess 5", false, "wrong"},
			// A revoked token is no longer known.
			{office, "anna", false, "wrong"}, {office, "anna", false, "refused"},
		} {
			if got := l.try(step.address, step.token, step.good); got != step.want {
				t.Errorf("step %d, %s from %s: %s, want %s", i, step.token, step.address, got, step.want)
			}
		}
		_, err := l.Token(from(office), "new")
		p := problem.Of(err)
		if want := fmt.Sprintf(`{"code":"RATE_001","message":"Rate limit exceeded",`+
			`"detail":"Rate limit exceeded","retry_after":%d}`,
			int(p.RetryAfter.Seconds())); string(p.Body()) != want || p.RetryAfter < 19*time.Minute {
			t.Errorf("%s %s", p.Body(), p.RetryAfter)
		}
	})
}

// A token whose lookup failed counts neither as good nor as wrong.
func TestTokenThatNobodyCouldLookUp(t *testing.T) {
	counters(t, func(t *testing.T, c Counter) {
		l := strict(c)
		for i := range 10 {
			done, err := l.Token(from("192.0.2.1"), fmt.Sprint(i%2))
			if err != nil {
				t.Fatal(i, err)
			}
			done(file.ErrRedis)
		}
	})
}

// Concurrent guesses can't exceed the limit, and concurrent good tokens are all looked up.
func TestTokensTogether(t *testing.T) {
	counters(t, func(t *testing.T, c Counter) {
		l := New(c, Settings{Failures: Rate{Count: 10, Window: time.Hour}})
		var tried atomic.Int32
		var all sync.WaitGroup
		for i := range 60 {
			all.Go(func() {
				if l.try("192.0.2.1", fmt.Sprint("guess", i), false) == "wrong" {
					tried.Add(1)
				}
			})
		}
		all.Wait()
		if tried.Load() != 10 {
			t.Errorf("%d guesses were looked up, want 10", tried.Load())
		}
	})
}

// Replicas share their counts and the list of good tokens.
func TestTokensOfReplicas(t *testing.T) {
	server := redistest.Start(t)
	var replicas []*Limits
	for range 2 {
		c, err := NewRedis(server.URL(), time.Minute, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		replicas = append(replicas, strict(c))
	}
	one, two := replicas[0], replicas[1]
	const office = "192.0.2.1"
	for i, step := range []struct{ got, want string }{
		{one.try(office, "anna", true), "good"},
		{one.try(office, "a", false), "wrong"}, {two.try(office, "b", false), "wrong"},
		{one.try(office, "c", false), "wrong"},
		{two.try(office, "d", false), "refused"}, {one.try(office, "d", false), "refused"},
		{two.try(office, "anna", true), "good"}, {two.try(office, "anna", true), "good"},
		{two.try(office, "emil", true), "refused"},
	} {
		if step.got != step.want {
			t.Errorf("step %d: %s, want %s", i, step.got, step.want)
		}
	}
}
