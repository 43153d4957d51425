package download

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what goes wrong between the store and the clients. An object that is
// missing or changed is lost data: an alarm belongs on it.
type Metrics struct {
	faults  *prometheus.CounterVec // by what is wrong with an object: missing, changed
	resumes prometheus.Counter
	anew    prometheus.Counter
	aborted *prometheus.CounterVec // by whose fault: store, client
}

// NewMetrics returns counters that are registered with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_download_object_faults_total",
			Help: "Records whose object was missing from the store, or changed (replaced, shorter)."}, []string{"fault"}),
		resumes: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_download_resumes_total",
			Help: "Reads from the store that went on after it had broken off."}),
		anew: prometheus.NewCounter(prometheus.CounterOpts{Name: "holdfast_download_reopened_total",
			Help: "Reads from the store that were begun anew because the bytes moved slowly, with nothing broken."}),
		aborted: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_download_aborted_total",
			Help: "Answers that were cut off: the store gave no more, or the client took no more."}, []string{"by"}),
	}
	for _, fault := range []string{"missing", "changed"} { // so that they are there before something happens
		m.faults.WithLabelValues(fault)
	}
	for _, by := range []string{"store", "client"} {
		m.aborted.WithLabelValues(by)
	}
	r.MustRegister(m.faults, m.resumes, m.anew, m.aborted)
	return m
}
