package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// temporaryError is an error after which a retry may succeed.
type temporaryError struct {
	err   error
	after time.Duration // the least delay before the retry, as Retry-After has it
}

func (e temporaryError) Error() string { return e.err.Error() }
func (e temporaryError) Unwrap() error { return e.err }

// ofKnown is the error of a request about an upload or a file that was there. "Not found" in other words than the
// service's is temporary: a proxy says so that does not see the service, for instance while that is started again.
func ofKnown(err error) error {
	var no *Refusal
	if errors.As(err, &no) && no.Is(fs.ErrNotExist) && !no.inJSON {
		return temporaryError{err: err}
	}
	return err
}

// isGone reports whether it is the service that says that there is no such upload or file, or no longer.
func isGone(err error) bool {
	var no *Refusal
	return errors.As(err, &no) && no.Is(fs.ErrNotExist) && no.inJSON
}

// doubt counts how often in a row a proxy has said of an upload that it is not there, while the service was seen.
type doubt int

// gone reports whether an upload is there no more. err is that of a request for its state. Some proxies put a page of
// their own in the place of every 404, also the service's: it is believed if it is said twice, and the service is seen.
func (d *doubt) gone(ctx context.Context, c *Client, err error) (bool, error) {
	var no *Refusal
	switch {
	case isGone(err):
		return true, nil
	case !errors.As(err, &no) || !no.Is(fs.ErrNotExist) || !c.isSeen(ctx):
		*d = 0
	default:
		*d++
	}
	if *d == 2 {
		return true, nil
	}
	return false, ofKnown(err)
}

// isSeen reports whether the service answers (tus 1.0.0, OPTIONS).
func (c *Client) isSeen(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, c.StallTimeout)
	defer cancel()
	r, err := c.request(ctx, http.MethodOptions, c.Base+"/tus/", nil)
	if err != nil {
		return false
	}
	res, err := c.do(r)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.Header.Get("Tus-Version") != ""
}

// isForeign reports whether it is the service that says that an upload is not for the token's user.
func isForeign(err error) bool {
	var no *Refusal
	return errors.As(err, &no) && no.Status == http.StatusForbidden && no.inJSON
}

// flow knows when the bytes of a transfer moved last.
type flow struct {
	mu   sync.Mutex
	last time.Time
}

// moved says that bytes move, or that there were none to send until now.
func (f *flow) moved() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = time.Now()
}

// rested returns for how long nothing has moved since then.
func (f *flow) rested(since time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last.After(since) {
		since = f.last
	}
	return time.Since(since)
}

// retry is transfer for requests whose bytes are few.
func (c *Client) retry(ctx context.Context, step func() (done, progress bool, err error)) error {
	return c.transfer(ctx, new(flow), step)
}

// transfer calls step until it is done, and again after a temporaryError. It gives up when delays and steps in which
// nothing moved any more have taken GiveUpAfter since the last step that made progress. Bytes that move and are then
// lost don't start that time anew: it would never end with a service that loses them each time.
func (c *Client) transfer(ctx context.Context, f *flow, step func() (done, progress bool, err error)) error {
	// Randomized: many clients may have lost their connections to a service at the same moment.
	delays := &backoff.ExponentialBackOff{InitialInterval: c.Backoff, MaxInterval: c.MaxBackoff,
		RandomizationFactor: backoff.DefaultRandomizationFactor, Multiplier: 2}
	var waited time.Duration
	for {
		begun := time.Now()
		done, progress, err := step()
		waited += f.rested(begun)
		if progress {
			waited = 0
			delays.Reset()
		}
		var temporary temporaryError
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil && done:
			return nil
		case err == nil:
			continue
		case !errors.As(err, &temporary):
			return err
		}
		delay := max(temporary.after, delays.NextBackOff())
		if waited+delay > c.GiveUpAfter {
			return givenUp{temporary, waited.Round(time.Second)}
		}
		waited += delay
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// givenUp is an ErrUnreachable that says what happened.
type givenUp struct {
	last   temporaryError
	waited time.Duration
}

func (e givenUp) Is(target error) bool { return target == ErrUnreachable }
func (e givenUp) Unwrap() error        { return e.last.err }

func (e givenUp) Error() string {
	text := "the service could not do it"
	if _, unanswered := errors.AsType[net.Error](e.last.err); unanswered {
		text = ErrUnreachable.Error()
	}
	if e.waited > 0 {
		text += fmt.Sprint(" for ", e.waited)
	}
	text += ": " + e.last.Error()
	if e.last.after > 0 {
		text += fmt.Sprintf("; it asks to be tried again after %s", e.last.after)
	}
	return text
}
