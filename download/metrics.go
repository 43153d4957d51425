package download

import "github.com/prometheus/client_golang/prometheus"

// metrics counts downloads, and what goes wrong between the store and the clients. An object that is missing or
// changed is lost data: alert on it.
type metrics struct {
	downloads *prometheus.CounterVec   // by outcome
	durations *prometheus.HistogramVec // by outcome
	sent      prometheus.Counter       // bytes
	deleted   prometheus.Counter
	faults    *prometheus.CounterVec // by what is wrong with an object: missing, changed
	resumes   prometheus.Counter
	reopened  prometheus.Counter
	aborted   *prometheus.CounterVec // by whose fault: store, client
}

func newMetrics() *metrics {
	m := &metrics{
		downloads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_downloads_total",
			Help: "GET of a file, by outcome: whole, range, not_modified, redirected, refused (4xx), failed (5xx), broken " +
				"(cut off before the last byte)."}, []string{"outcome"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "holdfast_download_duration_seconds",
			Help:    "Duration of GET of a file until the last byte was sent; slow clients count.",
			Buckets: []float64{.005, .025, .1, .5, 2.5, 10, 60, 300}}, []string{"outcome"}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_download_sent_bytes_total",
			Help: "Bytes of files that were sent to clients."}),
		deleted: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_files_deleted_total",
			Help: "Files deleted by DELETE."}),
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_download_object_faults_total",
			Help: "Records whose object was missing from the store, or changed (replaced, shorter)."}, []string{"fault"}),
		resumes: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_download_resumes_total",
			Help: "Reads from the store that were resumed after the store broke off."}),
		reopened: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_download_reopened_total",
			Help: "Reads from the store that were reopened because the client or the store was slow."}),
		aborted: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_download_aborted_total",
			Help: "Answers that were cut off, by cause: the store or the client."}, []string{"by"}),
	}
	// So that they are shown, as 0, before anything happens.
	for _, outcome := range []string{"whole", "range", "not_modified", "redirected", "refused", "failed", "broken"} {
		m.downloads.WithLabelValues(outcome)
	}
	for _, fault := range []string{"missing", "changed"} {
		m.faults.WithLabelValues(fault)
	}
	for _, by := range []string{"store", "client"} {
		m.aborted.WithLabelValues(by)
	}
	return m
}

// Register registers the metrics with r.
func (h *Handler) Register(r prometheus.Registerer) {
	m := h.metrics
	r.MustRegister(m.downloads, m.durations, m.sent, m.deleted, m.faults, m.resumes, m.reopened, m.aborted)
}
