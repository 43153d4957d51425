package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// age is a max-age as an answer told it.
type age struct {
	seconds int64
	at      time.Time
}

// wait waits before a step that wants it.
func (r *run) wait(ctx context.Context, step Step) error {
	long := step.Pause
	if step.Expired {
		if r.expires.IsZero() {
			return fmt.Errorf("%w: no Upload-Expires was told", errNotOffered)
		}
		long = time.Until(r.expires) + time.Second // the field has no fractions
		if long > r.longest {
			return fmt.Errorf("%w: the upload expires in %s, later than -wait", errNotOffered, long.Round(time.Second))
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(long):
		return nil
	}
}

// noteTimes keeps when the upload ends.
func (r *run) noteTimes(a Answer) {
	if at, err := http.ParseTime(a.Header.Get("Upload-Expires")); err == nil {
		r.expires = at
	}
	for limit := range strings.SplitSeq(a.Header.Get("Upload-Limit"), ",") {
		if n, ok := strings.CutPrefix(strings.TrimSpace(limit), "max-age="); ok {
			if seconds, err := strconv.ParseInt(n, 10, 64); err == nil {
				r.ages = append(r.ages, age{seconds, time.Now()})
			}
		}
	}
}

// ages applies a check to the last two values of max-age.
func ages(says string, see func(before, now age) error) Check {
	return check(func(r *run, _ Answer) error {
		if n := len(r.ages); n >= 2 {
			return see(r.ages[n-2], r.ages[n-1])
		}
		return fmt.Errorf("%w: no max-age was told", errNotOffered)
	}, "%s", says)
}

// ageNotReduced requires that max-age falls no faster than time passes.
func ageNotReduced() Check {
	return ages("max-age falls no faster than time passes", func(before, now age) error {
		passed := int64(now.at.Sub(before.at)/time.Second) + 1
		if least := before.seconds - passed - 1; now.seconds < least {
			return fmt.Errorf("max-age was %d, and is %d after at most %d s", before.seconds, now.seconds, passed)
		}
		return nil
	})
}

// ageCounts requires that max-age falls.
func ageCounts() Check {
	return ages("max-age is less than before", func(before, now age) error {
		if now.seconds >= before.seconds {
			return fmt.Errorf("max-age was %d, and is %d", before.seconds, now.seconds)
		}
		return nil
	})
}

// progress requires answers 104 with offsets that rise, up to what was sent.
func progress(from, to int64) Check {
	return check(func(_ *run, a Answer) error {
		last, told := from, 0
		for _, i := range a.Interim {
			text := i.Header.Get("Upload-Offset")
			if i.Status != 104 || text == "" {
				continue
			}
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n < last || n > to {
				return fmt.Errorf("104 with the offset %q after %d, of %d", text, last, to)
			}
			last, told = n, told+1
		}
		if told == 0 {
			return errors.New("no 104 with an offset")
		}
		return nil
	}, "104 with offsets from %d to %d", from, to)
}

// long is the length of a body that takes a server some time, in bytes.
const long = 24 << 20

// tusClock are cases of tus 1.0.0 that take time.
func tusClock() []Case {
	gone := Step{Method: "HEAD", At: "a", Expired: true, Want: []Check{status(404, 410)}}
	return needing("expiration",
		tusCase("expiration.over", "Extension: Expiration", Should, "an upload whose time is over: 404 or 410",
			tusCreate("10"), tusPatch("a", Body{To: 4}, at("0"), status(204)), gone))
}

// draftClock are cases of the IETF's protocol that take time.
func draftClock() []Case {
	const limit, interims = "4.1.4 Upload-Limit", "4.4 Upload Append"
	later := head(class(2))
	later.Pause = 2 * time.Second
	much := draftAppendTo("5", true, Body{From: 5, To: long}).want(class(2), progress(5, long))
	return []Case{
		draftCase("limit.age", limit, from("7"), Should, "the time that an upload has left is not reduced",
			begun(), later.want(ageNotReduced())),
		draftCase("limit.age.counts", limit, from("7"), May, "it is told as what is left at the time of the answer",
			begun(), later.want(ageCounts())),
		draftCase("append.104.offset", interims, until("7", "8"), May, "104 tells the offset while a long PATCH runs",
			begun(), much),
		draftCase("append.104.offset.later", interims, from("9"), Should, "104 tells the offset while a long PATCH runs",
			begun(), much),
	}
}
