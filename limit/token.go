package limit

import (
	"context"
	"errors"
	"net/http"
	"time"

	"holdfast/file"
)

// goodTTL is how long a token that was good does not count as a guess.
const goodTTL = 24 * time.Hour

// Token is called before a token is looked up; see auth.Guard. It limits guesses: different
// wrong tokens from one address.
//
//   - A token that was good before is no guess, whatever other tokens come from its address.
//   - A new token is counted before it is looked up, so that concurrent guesses can't exceed
//     the limit. If it is good, it is taken off the count again.
//   - A wrong token that is sent again is an old cookie, or a program with an outdated token. It
//     has a count of its own, and does not use up the guesses of its address.
func (l *Limits) Token(r *http.Request, fingerprint string) (done func(error), err error) {
	ctx := context.WithoutCancel(r.Context()) // also counted if the client disconnects
	from := address(l.Proxies.Client(r))
	guesses, wrong := "token:"+from, "wrong:"+from+":"+fingerprint
	known := func(err error) { l.noteResult(ctx, fingerprint, err) }
	if l.good.Marked(ctx, goodKey(fingerprint)) {
		return known, nil
	}
	if l.counter.Marked(ctx, wrong) {
		made := func(err error) { // the token may have been created meanwhile
			if err == nil {
				known(nil)
			}
		}
		return made, l.refuse("token", l.counter.Take(ctx, "again:"+wrong, l.Failures))
	}
	if wait := l.counter.Take(ctx, guesses, l.Failures); wait > 0 {
		if l.counter.Marked(ctx, goodKey(fingerprint)) { // it was good in another replica
			return known, nil
		}
		return nil, l.refuse("token", wait)
	}
	return func(err error) {
		if errors.Is(err, file.ErrNotFound) {
			l.counter.Mark(ctx, wrong, l.Failures.Window)
			l.counter.Take(ctx, "again:"+wrong, l.Failures)
			return
		}
		l.counter.Refund(ctx, guesses, l.Failures)
		known(err)
	}, nil
}

// noteResult records that a token is good, or is no longer.
func (l *Limits) noteResult(ctx context.Context, fingerprint string, err error) {
	ttl := goodTTL
	switch was := l.good.Marked(ctx, goodKey(fingerprint)); {
	case errors.Is(err, file.ErrNotFound):
		ttl = 0
	case err != nil, was: // the lookup failed; or it is recorded already
		return
	}
	l.good.Mark(ctx, goodKey(fingerprint), ttl)
	l.counter.Mark(ctx, goodKey(fingerprint), ttl)
}

func goodKey(fingerprint string) string { return "good:" + fingerprint }
