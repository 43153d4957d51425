package limit

import (
	"context"
	"time"

	"holdfast/internal/cache"
)

// maxKeys is the maximum of keys in memory; one takes about 200 bytes. When there are more,
// rarely used ones are evicted.
const maxKeys = 100_000

// Memory counts in the memory of this process.
type Memory struct {
	// until is, by key, the time when all counted events will have expired (the "theoretical
	// arrival time" of the generic cell rate algorithm, GCRA), or when a mark expires.
	until   *cache.Values[string, time.Time]
	credits *cache.Values[string, credit]
	now     func() time.Time
}

// credit is how many bytes may be spent, and when the credit expires.
type credit struct {
	bytes int64
	until time.Time
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{now: time.Now,
		until:   cache.NewValues[string](cache.ValuesOptions[time.Time]{Size: maxKeys, Lifetime: time.Until}),
		credits: cache.NewValues[string](cache.ValuesOptions[credit]{Size: maxKeys, Lifetime: credit.left})}
}

// left is the time until a credit expires.
func (c credit) left() time.Duration { return time.Until(c.until) }

// Take counts an event if the rate allows it.
func (m *Memory) Take(_ context.Context, key string, r Rate) (wait time.Duration) {
	m.until.Update(key, func(until time.Time, _ bool) (time.Time, bool) {
		now := m.now()
		next := later(until, now).Add(r.interval())
		wait = max(0, next.Sub(now)-r.Window)
		return next, wait == 0
	})
	return wait
}

// Refund takes back an event that Take counted.
func (m *Memory) Refund(_ context.Context, key string, r Rate) {
	m.until.Update(key, func(until time.Time, found bool) (time.Time, bool) { return until.Add(-r.interval()), found })
}

// Mark makes Marked true for ttl; with 0 it removes the mark.
func (m *Memory) Mark(_ context.Context, key string, ttl time.Duration) {
	m.until.Set(key, m.now().Add(ttl))
}

// Marked reports whether a key has a mark that has not expired.
func (m *Memory) Marked(_ context.Context, key string) bool {
	until, _ := m.until.Get(key)
	return until.After(m.now())
}

// Credit sets the credit of a key, in bytes, which expires after ttl.
func (m *Memory) Credit(_ context.Context, key string, bytes int64, ttl time.Duration) {
	m.credits.Set(key, credit{bytes, m.now().Add(ttl)})
}

// Spend takes bytes from a credit, or returns them if the number is negative.
func (m *Memory) Spend(_ context.Context, key string, bytes int64) (spent bool) {
	m.credits.Update(key, func(c credit, _ bool) (credit, bool) {
		spent = c.until.After(m.now()) && c.bytes >= bytes
		c.bytes -= bytes
		return c, spent
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
