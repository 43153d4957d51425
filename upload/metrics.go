package upload

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/upload/memory"
)

// metrics count the results of uploads, and the waits of requests.
type metrics struct {
	received prometheus.Counter
	expired  prometheus.Counter
	removed  prometheus.Counter
	lost     prometheus.Counter

	leaseWaits    prometheus.Histogram
	leaseTimeouts prometheus.Counter
	leaseLosses   prometheus.Counter

	memoryWaits prometheus.Histogram

	sweeps       *prometheus.CounterVec // by result
	lastSweep    prometheus.Gauge
	uploadsSwept *prometheus.CounterVec // by what became of the upload
}

func newMetrics() *metrics {
	m := &metrics{
		received: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_upload_received_bytes_total",
			Help: "Bytes of uploads that are stored and committed."}),
		expired: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_uploads_expired_total",
			Help: "Uploads that expired after UPLOAD_TTL without a byte; partial uploads are not counted."}),
		removed: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_uploads_removed_total",
			Help: "Uploads, unfinished or finished, that a client terminated by DELETE."}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_uploads_lost_total",
			Help: "Unfinished uploads that were ended because the store has lost bytes of them."}),
		leaseWaits: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "holdfast_lease_wait_seconds",
			Help:    "How long requests waited for the lease on their upload.",
			Buckets: []float64{.005, .025, .1, .5, 2.5, 10, 18}}),
		leaseTimeouts: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_lease_timeouts_total",
			Help: "Requests that did not get the lease on their upload in time (423), or whose client disconnected."}),
		leaseLosses: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_leases_lost_total",
			Help: "Leases that were lost while in use: the database was unreachable, or the process was paused."}),
		memoryWaits: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "holdfast_memory_wait_seconds",
			Help:    "How long requests waited for memory, of those that had to wait.",
			Buckets: []float64{.005, .025, .1, .5, 2.5, 10, 60}}),
		sweeps: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_sweeps_total",
			Help: "Rounds of the sweeper in this replica, by result: ok, failed."}, []string{"result"}),
		lastSweep: prometheus.NewGauge(prometheus.GaugeOpts{Name: "holdfast_sweep_last_success_timestamp_seconds",
			Help: "When this replica last swept without an error; 0: never. One replica sweeps for all: use the maximum."}),
		uploadsSwept: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_sweep_uploads_total",
			Help: "Uploads that the sweeper handled, by outcome: finished, expired, cleaned (leftovers of a deleted " +
				"upload removed), lost (the store has lost bytes), failed."}, []string{"outcome"}),
	}
	for _, result := range []string{"ok", "failed"} { // so that the series exist from the start
		m.sweeps.WithLabelValues(result)
	}
	for _, outcome := range []string{"finished", "expired", "cleaned", "lost", "failed"} {
		m.uploadsSwept.WithLabelValues(outcome)
	}
	return m
}

// Register adds the metrics to r, and those of the memory.
func (e *Engine) Register(r prometheus.Registerer) {
	m := e.metrics
	r.MustRegister(m.received, m.expired, m.removed, m.lost, m.leaseWaits, m.leaseTimeouts, m.leaseLosses, m.memoryWaits,
		m.sweeps, m.lastSweep, m.uploadsSwept)
	gauge := func(name, help string, value func(memory.Stats) float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return value(e.Memory()) }))
	}
	gauge("holdfast_memory_limit_bytes", "MEMORY_BUDGET: what all uploads together may hold.",
		func(s memory.Stats) float64 { return float64(s.Limit) })
	gauge("holdfast_memory_used_bytes", "What uploads hold, tails that are kept for later included.",
		func(s memory.Stats) float64 { return float64(s.Used) })
	gauge("holdfast_uploads_waiting_seconds",
		"How long the request has waited for memory that has waited longest; 0: none waits.",
		func(s memory.Stats) float64 { return s.Longest.Seconds() })
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_sweep_failing_uploads",
		Help: "Uploads that this replica's sweeps could not finish or remove, and try again later; see the log."},
		func() float64 { return float64(e.sweeps.count()) }))
	gauge("holdfast_memory_waiting_requests", "Requests that wait for memory.",
		func(s memory.Stats) float64 { return float64(s.Waiting) })
}

// swept counts a run of the sweep. A run that was cut short by the end of the service does not count.
func (m *metrics) swept(ctx context.Context, err error) {
	switch {
	case err == nil:
		m.sweeps.WithLabelValues("ok").Inc()
		m.lastSweep.SetToCurrentTime()
	case ctx.Err() == nil:
		m.sweeps.WithLabelValues("failed").Inc()
	}
}
