// Package cache keeps a limited number of values in memory, each for a limited time. Concurrent requests that miss
// the same key share one load. Errors are never cached.
package cache

import (
	"context"
	"time"
)

// DefaultSize is the maximum number of values in a cache; the least useful are evicted first.
const DefaultSize = 10_000

// Options of a cache.
type Options[V any] struct {
	// TTL is how long a value is kept after it was loaded; with 0 nothing is cached.
	TTL time.Duration
	// Until returns the time at which a value expires if that is before its TTL; zero is no such time. Until may
	// be nil.
	Until func(V) time.Time
	// Size is the maximum number of values; DefaultSize if it is 0.
	Size int
}

// Cache keeps values by their keys. Its methods may be called from several goroutines.
type Cache[K comparable, V any] struct {
	entries store // nil: nothing is cached
}

// New returns an empty cache.
func New[K comparable, V any](o Options[V]) *Cache[K, V] {
	if o.TTL <= 0 {
		return &Cache[K, V]{}
	}
	if o.Size == 0 {
		o.Size = DefaultSize
	}
	return &Cache[K, V]{open(o.Size, false, func(v any) time.Duration { return o.lifetime(v.(V)) })}
}

// lifetime is how long a value that was loaded now is kept. otter does not accept 0.
func (o Options[V]) lifetime(v V) time.Duration {
	if o.Until != nil {
		if end := o.Until(v); !end.IsZero() {
			return max(1, min(o.TTL, time.Until(end)))
		}
	}
	return o.TTL
}

// Get returns the value of key, and loads it if it is missing. Requests for the same key share one load, under the
// context of the first; if that context ends before the load does, another one of them loads again. A value that is
// invalidated while it is loaded is loaded again, too: no request that begins after an invalidation gets a value
// that was loaded before.
func (c *Cache[K, V]) Get(ctx context.Context, key K, load func(context.Context, K) (V, error)) (V, error) {
	if c.entries == nil {
		return load(ctx, key)
	}
	v, err := c.entries.get(ctx, key, func(ctx context.Context, key any) (any, error) { return load(ctx, key.(K)) })
	found, _ := v.(V) // there is none beside an error
	return found, err
}

// Invalidate removes the value of key, including one that is being loaded.
func (c *Cache[K, V]) Invalidate(key K) {
	if c.entries != nil {
		c.entries.invalidate(key)
	}
}

// Len returns the number of values.
func (c *Cache[K, V]) Len() int {
	if c.entries == nil {
		return 0
	}
	return c.entries.size()
}

// Close stops the goroutine that removes expired values.
func (c *Cache[K, V]) Close() {
	if c.entries != nil {
		c.entries.close()
	}
}
