package tus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"holdfast/file"
)

// scenario is an upload in chunks of these sizes. Faults strike from chunk armed on.
type scenario struct {
	name   string
	chunks []int
	armed  int
}

var scenarios = []scenario{
	{"whole", []int{1000}, 0},
	{"parts and tails", []int{1 << 20, 2 << 20, 4 << 20, 100, 5<<20 - 7}, 0},
	{"many tails", append(slices.Repeat([]int{10}, maxTails-1), 10, 10, 10), maxTails - 1},
	{"only tails", []int{100, 200}, 0},
	{"one full part", []int{partSize - 1, 1}, 0},
}

func (s scenario) size() (n int) {
	for _, c := range s.chunks {
		n += c
	}
	return n
}

// TestFaultAtEveryCall runs each scenario with a fault at the first call to SQL or S3,
// then at the second, and so on, for each kind of fault. Whatever happens: an offset
// that was answered never goes back, the file is seen only when it is whole, and in the
// end it is what was sent.
func TestFaultAtEveryCall(t *testing.T) {
	worlds(t, func(w *world) {
		for _, s := range scenarios {
			for _, f := range []fault{failBefore, failAfter, crashBefore, crashAfter, stall} {
				w.sub(fmt.Sprintf("%s/%s", s.name, f), func() {
					// Megabytes take time, and so do many requests: of a large scenario each
					// kind of fault takes every ninth call, beginning with another one.
					first, step := 1, 1
					if s.size() > 1<<20 || len(s.chunks) > maxTails {
						first, step = int(f), 9
					}
					for k := first; w.scene(s, f, k); k += step {
						if k > 500 {
							w.t.Fatal("the scenario never ends")
						}
					}
				})
			}
		}
	})
}

// sub runs a subtest in this world.
func (w *world) sub(name string, test func()) {
	outer := w.t
	outer.Run(name, func(t *testing.T) {
		w.t = t
		defer func() { w.t = outer }()
		test()
	})
}

// scene runs s with fault f at call k. It returns false when s needs fewer calls.
func (w *world) scene(s scenario, f fault, k int) (hit bool) {
	w.t.Helper()
	p := newPlan(f, k)
	p.armed = s.armed == 0
	engines := []*Engine{w.start(newPlan(none, 0))}
	url, body := w.create(s.size()), content(s.size()) // creation is the hooks', tested there
	engines = append(engines, w.start(p))

	answered, sent := int64(0), 0
	var waiting []func() // for requests of an engine that was left behind
	// leave goes on with a fresh service when this one died or hangs, as a client does.
	leave := func(stuck func()) bool {
		_, _, dead := p.seen()
		if stuck != nil {
			waiting = append(waiting, stuck)
		}
		if left := len(engines) > 2; left || !dead && stuck == nil {
			return false
		}
		w.expireLeases()
		engines = append(engines, w.start(newPlan(none, 0)))
		return true
	}
	chunks := slices.Clone(s.chunks)
	for i := 0; i < len(chunks); i++ {
		if i == s.armed {
			p.arm()
		}
		end := sent + chunks[i]
		var status int
		var h http.Header
		from := int64(sent)
		stuck := p.orLeave(func() { status, h, _ = w.patch(context.Background(), url, from, body[from:end]) })
		if stuck == nil && status == http.StatusNoContent {
			answered, _ = strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
		}
		leave(stuck)
		var now int64
		for again := true; again; {
			offset := new(int64) // of this request alone: one that was left may still answer
			stuck := p.orLeave(func() { *offset = w.head(url) })
			if again = leave(stuck); !again {
				now = *offset
			}
		}
		switch {
		case now < answered:
			w.t.Fatalf("%s %d: %d was answered, the offset is %d", f, k, answered, now)
		case now > int64(end):
			w.t.Fatalf("%s %d: %d bytes were sent, the offset is %d", f, k, end, now)
		case now < int64(s.size()):
			if _, err := w.rows.File(w.t.Context(), idOf(url)); !errors.Is(err, file.ErrNotFound) {
				w.t.Fatalf("%s %d: seen at %d of %d bytes (%v)", f, k, now, s.size(), err)
			}
		}
		answered = now
		if now < int64(end) { // the same chunk again, or what is left of it
			chunks[i] -= int(now) - sent
			i--
		}
		sent = int(now)
	}
	w.check(url, body)
	// The one that was left behind wakes up, believes what it believes, and changes nothing.
	close(p.release)
	for _, wait := range waiting {
		wait()
	}
	for _, e := range engines {
		e.Wait()
	}
	w.check(url, body)
	calls, at, _ := p.seen()

	if w.t.Failed() {
		w.t.Fatalf("%s at call %d (%s)", f, k, at)
	}
	return calls >= k
}

// orLeave makes a request, and leaves it to itself when the service hangs in the middle
// of it: left then waits for its end.
func (p *plan) orLeave(request func()) (left func()) {
	stalled := p.stalled
	if p.over() {
		stalled = nil // that was another request
	}
	done := make(chan struct{})
	go func() { defer close(done); request() }()
	select {
	case <-done:
		return nil
	case <-stalled:
		return func() { <-done }
	}
}
