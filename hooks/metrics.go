package hooks

import "github.com/prometheus/client_golang/prometheus"

// metrics count created and finished uploads. Partial uploads are not counted; their final upload is.
type metrics struct{ created, finished prometheus.Counter }

func newMetrics() metrics {
	return metrics{
		created: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_uploads_created_total",
			Help: "Uploads that were created; of concatenations, only final uploads are counted."}),
		finished: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_uploads_finished_total",
			Help: "Uploads that became files."}),
	}
}

// Register registers the metrics with r.
func (h *Hooks) Register(r prometheus.Registerer) {
	r.MustRegister(h.metrics.created, h.metrics.finished)
}
