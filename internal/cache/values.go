package cache

import "time"

// Values keeps a limited number of values that are set and changed rather than loaded, each for a limited time. Its
// methods may be called from several goroutines.
type Values[K comparable, V any] struct{ entries store }

// ValuesOptions of a Values.
type ValuesOptions[V any] struct {
	// Size is the maximum number of values; the least useful are evicted first.
	Size int
	// Lifetime returns how long a value is kept after it was written; at least a nanosecond.
	Lifetime func(V) time.Duration
	// WhileUsed makes the lifetime begin again whenever the value is read.
	WhileUsed bool
}

// NewValues returns an empty Values.
func NewValues[K comparable, V any](o ValuesOptions[V]) *Values[K, V] {
	return &Values[K, V]{open(o.Size, o.WhileUsed, func(v any) time.Duration { return max(1, o.Lifetime(v.(V))) })}
}

// Get returns the value of key, if there is one.
func (v *Values[K, V]) Get(key K) (value V, found bool) {
	kept, found := v.entries.present(key)
	value, _ = kept.(V)
	return value, found
}

// Set sets the value of key.
func (v *Values[K, V]) Set(key K, value V) { v.entries.set(key, value) }

// Update replaces the value of key by the one that change returns, unless that says not to write. Nothing else changes
// the value meanwhile. If there is none, change gets the zero value and false.
func (v *Values[K, V]) Update(key K, change func(value V, found bool) (next V, write bool)) {
	v.entries.update(key, func(old any, found bool) (any, bool) {
		value, _ := old.(V)
		return change(value, found)
	})
}
