package upload

import (
	"sync"
	"time"

	"holdfast/file"
)

// longestPause is the longest time until the background tries again what has failed.
const longestPause = 30 * time.Minute

// attempts remember what the background of this process could not do with uploads: since when, and when it was tried
// last. It is tried again after as long as it has failed already, and at the latest after longestPause.
//
// A round of work calls begin, due for each upload that it finds, and end.
type attempts struct {
	mu     sync.Mutex
	round  int64
	failed map[file.ID]failure
}

type failure struct {
	first, last time.Time
	round       int64 // the newest round that found the upload
}

func newAttempts() *attempts { return &attempts{failed: make(map[file.ID]failure)} }

// begin begins a round.
func (a *attempts) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.round++
}

// end ends a round. An upload that was not found for long is forgotten: it was finished by others, or is gone. While a
// request holds its lease it is not found either.
func (a *attempts) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, f := range a.failed {
		if f.round != a.round && time.Since(f.last) > 2*longestPause {
			delete(a.failed, id)
		}
	}
}

// due reports whether an upload that was found is to be tried in this round.
func (a *attempts) due(id file.ID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	f, failed := a.failed[id]
	if !failed {
		return true
	}
	f.round = a.round
	a.failed[id] = f
	return time.Since(f.last) >= f.pause()
}

// pause is the time from the last attempt to the next one.
func (f failure) pause() time.Duration { return min(f.last.Sub(f.first), longestPause) }

// note notes the result of an attempt. If it has failed, the results are for how long that is so, and the time until
// the next attempt.
func (a *attempts) note(id file.ID, err error) (since, again time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		delete(a.failed, id)
		return 0, 0
	}
	f, failed := a.failed[id]
	f.last, f.round = time.Now(), a.round
	if !failed {
		f.first = f.last
	}
	a.failed[id] = f
	return f.last.Sub(f.first), f.pause()
}

// haveFailed reports whether earlier attempts have failed, the first of them at least d ago.
func (a *attempts) haveFailed(id file.ID, d time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	f, failed := a.failed[id]
	return failed && time.Since(f.first) >= d
}

// count is the number of uploads that wait for another attempt.
func (a *attempts) count() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.failed {
		// The running round may not have come to it yet, and another replica may sweep now.
		if f.round >= a.round-1 && time.Since(f.last) < 2*longestPause {
			n++
		}
	}
	return n
}
