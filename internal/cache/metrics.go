package cache

import "github.com/prometheus/client_golang/prometheus"

// Register registers the hits and misses of c with r. The caches of all packages share these metrics, and differ by
// the label "cache", whose value is name.
func (c *Cache[K, V]) Register(r prometheus.Registerer, name string) {
	label := prometheus.Labels{"cache": name}
	r.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "holdfast_cache_hits_total", ConstLabels: label,
			Help: "Lookups that a cache has answered."}, func() float64 { return float64(c.hits()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "holdfast_cache_misses_total", ConstLabels: label,
			Help: "Lookups that a cache could not answer."}, func() float64 { return float64(c.misses()) }),
	)
}

func (c *Cache[K, V]) hits() (n uint64) {
	if c.entries != nil {
		n, _ = c.entries.counts()
	}
	return n
}

func (c *Cache[K, V]) misses() (n uint64) {
	if c.entries != nil {
		_, n = c.entries.counts()
	}
	return n
}
