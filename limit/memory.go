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
	until   *otter.Cache[string, time.Time]
	credits *otter.Cache[string, credit]
	now     func() time.Time
}

// credit is how many bytes may be spent, and until when.
type credit struct {
	bytes int64
	until time.Time
}

// NewMemory returns a Memory that has counted nothing.
func NewMemory() *Memory {
	credits := otter.Must(&otter.Options[string, credit]{MaximumSize: maxKeys,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, credit]) time.Duration {
			return max(1, time.Until(e.Value.until))
		})})
	return &Memory{now: time.Now, credits: credits, until: otter.Must(&otter.Options[string,
		time.Time]{MaximumSize: maxKeys,
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

// Give makes room again for an event that Take counted.
func (m *Memory) Give(_ context.Context, key string, r Rate) {
	m.until.ComputeIfPresent(key, func(until time.Time) (time.Time, otter.ComputeOp) {
		return until.Add(-r.interval()), otter.WriteOp
	})
}

// Mark makes Marked true for a time; 0 ends that.
func (m *Memory) Mark(_ context.Context, key string, ttl time.Duration) {
	m.until.Set(key, m.now().Add(ttl))
}

// Marked says whether Mark was called, less than its time ago.
func (m *Memory) Marked(_ context.Context, key string) bool {
	until, _ := m.until.GetIfPresent(key)
	return until.After(m.now())
}

// Credit gives a key so many bytes to spend in a time, in place of what it had.
func (m *Memory) Credit(_ context.Context, key string, bytes int64, ttl time.Duration) {
	m.credits.Set(key, credit{bytes, m.now().Add(ttl)})
}

// Spend takes bytes from a credit, or gives back a negative number of them.
func (m *Memory) Spend(_ context.Context, key string, bytes int64) (spent bool) {
	m.credits.ComputeIfPresent(key, func(c credit) (credit, otter.ComputeOp) {
		if spent = c.until.After(m.now()) && c.bytes >= bytes; !spent {
			return c, otter.CancelOp
		}
		c.bytes -= bytes
		return c, otter.WriteOp
	})
	return spent
}

// idle says whether all that was counted under a key has passed.
func (m *Memory) idle(key string) bool { return !m.Marked(context.Background(), key) }

// interval is the part of the window that one event takes.
func (r Rate) interval() time.Duration {
	if r.Count == 0 {
		return 0
	}
	return r.Window / time.Duration(r.Count)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
