// Package cache keeps values in memory for a while: at most so many, each for a limited time, loaded once for
// all requests that miss the same key together. Errors are never cached.
package cache

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"
)

// DefaultSize is how many values a cache keeps; those least worth keeping go first.
const DefaultSize = 10_000

// Options of a cache.
type Options[V any] struct {
	// TTL is how long a value is kept after it was loaded; with 0 nothing is cached.
	TTL time.Duration
	// Until ends a value earlier, at the time that it returns; zero is no end. It may be nil.
	Until func(V) time.Time
	// Size is how many values are kept at most; DefaultSize if it is 0.
	Size int
}

// Cache keeps values by their keys. Its methods may be called from several goroutines.
type Cache[K comparable, V any] struct {
	entries *otter.Cache[K, V] // nil: nothing is cached
	stats   *stats.Counter
}

// New returns an empty cache.
func New[K comparable, V any](o Options[V]) *Cache[K, V] {
	c := &Cache[K, V]{stats: stats.NewCounter()}
	if o.TTL <= 0 {
		return c
	}
	if o.Size == 0 {
		o.Size = DefaultSize
	}
	c.entries = otter.Must(&otter.Options[K, V]{MaximumSize: o.Size, StatsRecorder: c.stats,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[K, V]) time.Duration { return o.lifetime(e.Value) })})
	return c
}

// lifetime is how long a value that was loaded now is kept. otter takes no 0.
func (o Options[V]) lifetime(v V) time.Duration {
	if o.Until != nil {
		if end := o.Until(v); !end.IsZero() {
			return max(1, min(o.TTL, time.Until(end)))
		}
	}
	return o.TTL
}

// Get returns the value of key, and loads it where it is missing. Requests for the same key share one load, under
// the context of the first; when that ends before the load does, another one of them loads again. So is a value
// that Invalidate overtakes: no request that begins after an invalidation gets what was loaded before.
func (c *Cache[K, V]) Get(ctx context.Context, key K, load func(context.Context, K) (V, error)) (V, error) {
	if c.entries == nil {
		return load(ctx, key)
	}
	return c.entries.Get(ctx, key, otter.LoaderFunc[K, V](load))
}

// Invalidate drops the value of key, and one that is being loaded.
func (c *Cache[K, V]) Invalidate(key K) {
	if c.entries != nil {
		c.entries.Invalidate(key)
	}
}

// Len is how many values are kept.
func (c *Cache[K, V]) Len() int {
	if c.entries == nil {
		return 0
	}
	c.entries.CleanUp()
	return c.entries.EstimatedSize()
}

// Close ends the goroutine that drops what has expired.
func (c *Cache[K, V]) Close() {
	if c.entries != nil {
		c.entries.StopAllGoroutines()
	}
}
