package service

import (
	"crypto/tls"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// certificateMetrics show when the certificate expires, and whether reloads succeeded.
type certificateMetrics struct {
	expiry  prometheus.GaugeFunc
	reloads *prometheus.CounterVec
}

func newCertificateMetrics(current *atomic.Pointer[tls.Certificate]) certificateMetrics {
	m := certificateMetrics{
		expiry: prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_tls_certificate_expiry_timestamp_seconds",
			Help: "When the certificate in use expires, in seconds since 1970."},
			func() float64 { return float64(current.Load().Leaf.NotAfter.Unix()) }),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_tls_reloads_total",
			Help: "Changes of the files of the certificate, by result: taken, refused (the one before stays in use)."},
			[]string{"result"}),
	}
	for _, result := range []string{"taken", "refused"} {
		m.reloads.WithLabelValues(result)
	}
	return m
}

// Register adds the metrics to r.
func (m certificateMetrics) Register(r prometheus.Registerer) { r.MustRegister(m.expiry, m.reloads) }

// handshakeMetrics count connections whose handshake, of TLS or HTTP/2, failed.
type handshakeMetrics struct{ failed prometheus.Counter }

func newHandshakeMetrics() handshakeMetrics {
	return handshakeMetrics{failed: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "holdfast_tls_handshake_failures_total", Help: "Connections whose handshake, of TLS or HTTP/2, failed."})}
}

// Register adds the metric to r.
func (m handshakeMetrics) Register(r prometheus.Registerer) { r.MustRegister(m.failed) }
