package hooks

import "github.com/prometheus/client_golang/prometheus"

// metrics count uploads at their two ends. Partial uploads are not counted: of what is put
// together, the final one is.
type metrics struct{ created, finished prometheus.Counter }

func newMetrics() metrics {
	return metrics{
		created: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_uploads_created_total",
			Help: "Uploads that were created; of concatenations, only final uploads are counted."}),
		finished: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_uploads_finished_total",
			Help: "Uploads that became files."}),
	}
}

// Register has r show what was counted.
func (h *Hooks) Register(r prometheus.Registerer) {
	r.MustRegister(h.metrics.created, h.metrics.finished)
}
