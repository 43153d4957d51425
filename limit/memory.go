package limit

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
)

// maxKeys is how many keys are counted under in memory; one takes about 200 bytes. With
// more, those that are rarely used are forgotten.
const maxKeys = 100_000

// Memory counts in this process.
type Memory struct {
	// until is, by key, when all that was counted has passed (the "theoretical arrival time"
	// of the generic cell rate algorithm, GCRA), or until when a mark lasts.
	until *otter.Cache[string, time.Time]
	now   func() time.Time
}

// NewMemory returns a Memory that has counted nothing.
func NewMemory() *Memory {
	return &Memory{now: time.Now, until: otter.Must(&otter.Options[string, time.Time]{MaximumSize: maxKeys,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, time.Time]) time.Duration {
			return max(1, time.Until(e.Value))
		})})}
}

// Take counts an event if there is room for it.
func (m *Memory) Take(_ context.Context, key string, r Rate) (wait time.Duration) {
	m.until.Compute(key, func(until time.Time, _ bool) (time.Time, otter.ComputeOp) {
		now := m.now()
		next := later(until, now).Add(r.interval())
		if wait = next.Sub(now) - r.Window; wait > 0 {
			return until, otter.CancelOp
		}
		wait = 0
		return next, otter.WriteOp
	})
	return wait
}

// wait is what Take would say, and counts nothing.
func (m *Memory) wait(key string, r Rate) time.Duration {
	until, _ := m.until.GetIfPresent(key)
	now := m.now()
	return max(0, later(until, now).Add(r.interval()).Sub(now)-r.Window)
}

// Mark makes Marked true for a time.
func (m *Memory) Mark(_ context.Context, key string, ttl time.Duration) {
	m.until.Set(key, m.now().Add(ttl))
}

// Marked says whether Mark was called, less than its time ago.
func (m *Memory) Marked(_ context.Context, key string) bool {
	until, _ := m.until.GetIfPresent(key)
	return until.After(m.now())
}

// interval is the part of the window that one event takes.
func (r Rate) interval() time.Duration { return r.Window / time.Duration(r.Count) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
