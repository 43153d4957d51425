package reconcile

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count what Sweep does. A nil *Metrics counts nothing; commands use that.
type Metrics struct {
	steps   *prometheus.CounterVec // by how they ended
	last    prometheus.Gauge
	removed prometheus.Counter
}

// NewMetrics returns metrics that are registered with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_leftovers_sweeps_total",
			Help: "Buckets that this replica searched for leftovers of uploads, by result: ok, failed."},
			[]string{"result"}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{Name: "holdfast_leftovers_last_success_timestamp_seconds",
			Help: "When this replica last searched a bucket without an error; 0: never. " +
				"One replica does it for all: use the maximum."}),
		removed: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_leftovers_removed_total",
			Help: "Tails and multipart uploads that were removed because no upload needed them any more."}),
	}
	for _, result := range []string{"ok", "failed"} { // so that the series exist from the start
		m.steps.WithLabelValues(result)
	}
	r.MustRegister(m.steps, m.last, m.removed)
	return m
}

// swept counts a step, unless it was interrupted because the service stops.
func (m *Metrics) swept(ctx context.Context, err error) {
	switch {
	case m == nil:
	case err == nil:
		m.steps.WithLabelValues("ok").Inc()
		m.last.SetToCurrentTime()
	case ctx.Err() == nil:
		m.steps.WithLabelValues("failed").Inc()
	}
}
