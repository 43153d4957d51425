package access

import "github.com/prometheus/client_golang/prometheus"

// metrics count requests to the backend.
type metrics struct {
	durations prometheus.Histogram
	errors    prometheus.Counter
}

func newMetrics() metrics {
	return metrics{
		durations: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "holdfast_backend_duration_seconds",
			Help:    "Requests to the backend that ask whether a caller may read a file.",
			Buckets: []float64{.005, .025, .1, .25, 1, 2.5, 10}}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_backend_errors_total",
			Help: "Requests to the backend that got no valid answer in time."}),
	}
}

// Register adds the metrics of the backend and of the decision cache to r.
func (d *Decider) Register(r prometheus.Registerer) {
	if b, ok := d.backend.(*Backend); ok {
		r.MustRegister(b.metrics.durations, b.metrics.errors)
	}
	d.cache.allowed.Register(r, "permissions")
}
