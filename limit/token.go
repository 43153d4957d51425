package limit

import (
	"context"
	"errors"
	"net/http"
	"time"

	"holdfast/file"
)

// goodTTL is how long a token that was good is known to be no guess.
const goodTTL = 24 * time.Hour

// Token is asked before a token is looked up; see auth.Guard. What is limited are guesses:
// different wrong tokens from one address.
//
//   - A token that was good before is no guess, whatever else comes from there.
//   - One that is new is counted before it is looked up, so that no two share the last place,
//     and taken off again if it is good.
//   - The same wrong one again is an old cookie, or a program that was not told: it has a count
//     of its own, and takes no place from others behind that address.
func (l *Limits) Token(r *http.Request, fingerprint string) (done func(error), err error) {
	ctx := context.WithoutCancel(r.Context()) // who hangs up is counted as well
	from := address(l.Proxies.Client(r))
	guesses, wrong := "token:"+from, "wrong:"+from+":"+fingerprint
	known := func(err error) { l.judge(ctx, fingerprint, err) }
	if l.good.Marked(ctx, goodKey(fingerprint)) {
		return known, nil
	}
	if l.counter.Marked(ctx, wrong) {
		made := func(err error) { // it may have been, meanwhile
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
		l.counter.Give(ctx, guesses, l.Failures)
		known(err)
	}, nil
}

// judge notes that a token is good, or is not any more.
func (l *Limits) judge(ctx context.Context, fingerprint string, err error) {
	ttl := goodTTL
	switch was := l.good.Marked(ctx, goodKey(fingerprint)); {
	case errors.Is(err, file.ErrNotFound):
		ttl = 0
	case err != nil, was: // nobody knows; it is noted
		return
	}
	l.good.Mark(ctx, goodKey(fingerprint), ttl)
	l.counter.Mark(ctx, goodKey(fingerprint), ttl)
}

func goodKey(fingerprint string) string { return "good:" + fingerprint }
