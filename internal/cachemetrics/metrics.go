// Package cachemetrics shows how well a cache does. Those of all packages have the same
// names and differ by one label.
package cachemetrics

import (
	"github.com/maypok86/otter/v2/stats"
	"github.com/prometheus/client_golang/prometheus"
)

// Register has r show what counter, the StatsRecorder of a cache, has counted. cache is the
// value of the label, one for each cache.
func Register(r prometheus.Registerer, cache string, counter *stats.Counter) {
	label := prometheus.Labels{"cache": cache}
	r.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "holdfast_cache_hits_total", ConstLabels: label,
			Help: "Questions that a cache has answered."}, func() float64 { return float64(counter.Snapshot().Hits) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "holdfast_cache_misses_total", ConstLabels: label,
			Help: "Questions that a cache could not answer."}, func() float64 { return float64(counter.Snapshot().Misses) }),
	)
}
