package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// ageing answers with a max-age that falls by a number of seconds with each request, or without one.
func ageing(by int) http.Handler {
	left := 1000
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if by >= 0 {
			w.Header().Set("Upload-Limit", fmt.Sprintf("max-size=9, max-age=%d", left))
		}
		left -= by
		w.WriteHeader(204)
	})
}

// max-age may fall with time, and no faster; a server that tells none does not offer it.
func TestAges(t *testing.T) {
	for name, c := range map[string]struct {
		by             int
		reduced, count Outcome
	}{
		"as time passes": {1, Passed, Passed},
		"never":          {0, Passed, Failed},
		"too fast":       {100, Failed, Passed},
		"not told":       {-1, NotOffered, NotOffered},
	} {
		get, pause := Step{Method: "GET"}, Step{Method: "GET", Pause: time.Millisecond}
		if got := try(t, ageing(c.by), "8", get, pause.want(ageNotReduced())); got.Outcome != c.reduced {
			t.Errorf("%s: %+v", name, got)
		}
		if got := try(t, ageing(c.by), "8", get, pause.want(ageCounts())); got.Outcome != c.count {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A step waits until an upload has expired, if that is soon.
func TestWaitsForTheEnd(t *testing.T) {
	for name, c := range map[string]struct {
		ttl  time.Duration
		want Outcome
		says string
	}{
		"soon":    {time.Second, Passed, ""},
		"too far": {time.Hour, NotOffered, "-wait"},
		"never":   {0, NotOffered, "Upload-Expires"},
	} {
		var end time.Time
		got := try(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == "POST" && c.ttl > 0:
				end = time.Now().Add(c.ttl)
				w.Header().Set("Upload-Expires", end.UTC().Format(http.TimeFormat))
			case r.Method == "GET" && time.Now().Before(end.Truncate(time.Second)):
				w.WriteHeader(500)
			}
		}), "8", Step{Method: "POST"}, Step{Method: "GET", Expired: true, Want: []Check{status(200)}})
		if got.Outcome != c.want || !strings.Contains(got.Why, c.says) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Offsets in 104 must be told, rise, and not be above what was sent.
func TestProgress(t *testing.T) {
	for offsets, want := range map[string]Outcome{"5 7 10": Passed, "": Failed, "7 6": Failed, "11": Failed, "4": Failed,
		"x": Failed} {
		got := try(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for _, n := range strings.Fields(offsets) {
				w.Header().Set("Upload-Offset", n)
				w.WriteHeader(104)
			}
			w.WriteHeader(204)
		}), "8", Step{Method: "GET", Want: []Check{progress(5, 10)}})
		if got.Outcome != want {
			t.Errorf("%q: %+v", offsets, got)
		}
	}
}
