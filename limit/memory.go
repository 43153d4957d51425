package limit

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
)

// maxKeys is the maximum of keys in memory; one takes about 200 bytes. When there are more,
// rarely used ones are evicted.
const maxKeys = 100_000

// Memory counts in the memory of this process.
type Memory struct {
	// until is, by key, the time when all counted events will have expired (the "theoretical
	// arrival time" of the generic cell rate algorithm, GCRA), or when a mark expires.
	until   *otter.Cache[string, time.Time]
	credits *otter.Cache[string, credit]
	now     func() time.Time
}

// credit is how many bytes may be spent, and when the credit expires.
type credit struct {
	bytes int64
	until time.Time
}

// NewMemory returns an empty Memory.
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

// Take counts an event if the rate allows it.
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

// Give takes back an event that Take counted.
func (m *Memory) Give(_ context.Context, key string, r Rate) {
	m.until.ComputeIfPresent(key, func(until time.Time) (time.Time, otter.ComputeOp) {
		return until.Add(-r.interval()), otter.WriteOp
	})
}

// Mark makes Marked true for ttl; with 0 it removes the mark.
func (m *Memory) Mark(_ context.Context, key string, ttl time.Duration) {
	m.until.Set(key, m.now().Add(ttl))
}

// Marked reports whether a key has a mark that has not expired.
func (m *Memory) Marked(_ context.Context, key string) bool {
	until, _ := m.until.GetIfPresent(key)
	return until.After(m.now())
}

// Credit sets the credit of a key, in bytes, which expires after ttl.
func (m *Memory) Credit(_ context.Context, key string, bytes int64, ttl time.Duration) {
	m.credits.Set(key, credit{bytes, m.now().Add(ttl)})
}

// Spend takes bytes from a credit, or returns them if the number is negative.
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

// idle reports whether no counted event of a key is still in force.
func (m *Memory) idle(key string) bool { return !m.Marked(context.Background(), key) }

// interval is the part of the window that one event uses up.
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
