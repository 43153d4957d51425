package cache

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"
)

// store is what all caches are made of, whatever their types. otter's cache has a thousand functions, and they were
// compiled again for each pair of types in each package: a third of all that was compiled of our packages.
type store interface {
	get(ctx context.Context, key any, load func(context.Context, any) (any, error)) (any, error)
	present(key any) (any, bool)
	set(key, value any)
	update(key any, change func(value any, found bool) (any, bool))
	invalidate(key any)
	size() int
	close()
	counts() (hits, misses uint64)
}

// entries is the only implementation of store.
type entries struct {
	*otter.Cache[any, any]
	counter *stats.Counter
}

// open returns a store of a number of values. Each is kept for its lifetime after it was written or, if read is true,
// after it was written or read.
func open(size int, read bool, lifetime func(any) time.Duration) store {
	calculate := otter.ExpiryWritingFunc[any, any]
	if read {
		calculate = otter.ExpiryAccessingFunc[any, any]
	}
	counter := stats.NewCounter()
	return entries{counter: counter, Cache: otter.Must(&otter.Options[any, any]{MaximumSize: size, StatsRecorder: counter,
		ExpiryCalculator: calculate(func(e otter.Entry[any, any]) time.Duration { return lifetime(e.Value) })})}
}

func (e entries) get(ctx context.Context, key any, load func(context.Context, any) (any, error)) (any, error) {
	return e.Get(ctx, key, otter.LoaderFunc[any, any](load))
}

func (e entries) present(key any) (any, bool) { return e.GetIfPresent(key) }

func (e entries) set(key, value any) { e.Set(key, value) }

func (e entries) update(key any, change func(value any, found bool) (any, bool)) {
	e.Compute(key, func(old any, found bool) (any, otter.ComputeOp) {
		if next, write := change(old, found); write {
			return next, otter.WriteOp
		}
		return old, otter.CancelOp
	})
}

func (e entries) invalidate(key any) { e.Invalidate(key) }

func (e entries) size() int {
	e.CleanUp()
	return e.EstimatedSize()
}

func (e entries) close() { e.StopAllGoroutines() }

func (e entries) counts() (hits, misses uint64) {
	s := e.counter.Snapshot()
	return s.Hits, s.Misses
}
