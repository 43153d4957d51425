package storage

import "github.com/prometheus/client_golang/prometheus"

// metrics count calls to the store by S3's names of the operations.
type metrics struct {
	durations *prometheus.HistogramVec
	errors    *prometheus.CounterVec
	retries   *prometheus.CounterVec
}

func newMetrics() *metrics {
	return &metrics{
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "holdfast_s3_duration_seconds",
			Help:    "Calls to the object store with their retries, until the answer; of GetObject, until its bytes begin.",
			Buckets: []float64{.005, .025, .1, .25, 1, 2.5, 10, 60}}, []string{"operation"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_s3_errors_total",
			Help: "Calls to the object store that failed after all retries: refused (3xx, 4xx; often that there is no such " +
				"object), failed (its own fault), unreachable, or canceled by the client."},
			[]string{"operation", "reason"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_s3_retries_total",
			Help: "Calls to the object store that were made again."}, []string{"operation"}),
	}
}

// Register registers the metrics.
func (c *Calls) Register(r prometheus.Registerer) {
	r.MustRegister(c.metrics.durations, c.metrics.errors, c.metrics.retries)
}
