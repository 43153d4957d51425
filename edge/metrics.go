package edge

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"holdfast/file"
	"holdfast/internal/version"
	"holdfast/problem"
)

// Metrics counts requests. Each package counts its own work, and registers its own metrics.
type Metrics struct {
	answers   *prometheus.CounterVec
	durations *prometheus.HistogramVec
	inFlight  *prometheus.GaugeVec
	refused   *prometheus.CounterVec
}

// NewMetrics returns Metrics that are registered with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_http_requests_total",
			Help: "Requests by route, method and class of status; cut: the connection ended without an answer."},
			[]string{"route", "method", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "holdfast_http_request_duration_seconds",
			Help:    "Duration of requests until their answer was sent; slow clients count.",
			Buckets: []float64{.005, .025, .1, .25, 1, 2.5, 10, 60, 300}}, []string{"route", "method"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "holdfast_http_requests_in_flight",
			Help: "Requests in progress, by kind: upload, download, other."}, []string{"kind"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_uploads_refused_total",
			Help: "Upload requests that were answered with an error, by code; tus clients resume after many of them."},
			[]string{"code"}),
	}
	for _, kind := range []string{"upload", "download", "other"} {
		m.inFlight.WithLabelValues(kind)
	}
	r.MustRegister(m.answers, m.durations, m.inFlight, m.refused, buildInfo())
	return m
}

// recordRoute is the router's middleware: it records which route a request matched.
func (m *Metrics) recordRoute(prefix string) mux.MiddlewareFunc {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			route := "page"
			if template, err := mux.CurrentRoute(r).GetPathTemplate(); err == nil {
				route = strings.TrimPrefix(template, prefix)
			}
			m.serve(route, w, r, next.ServeHTTP)
		})
	}
}

// serve serves a request as one of this route.
func (m *Metrics) serve(route string, w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	n := requestInfoOf(r.Context())
	n.route = route
	g := m.inFlight.WithLabelValues(n.kindLabel())
	g.Inc()
	defer g.Dec()
	next(w, r)
}

// observe counts a request.
func (m *Metrics) observe(n *requestInfo) {
	if m == nil {
		return
	}
	class, cutOff := "cut", problem.Of(file.ErrCutOff).Code
	if status := n.status(); status != 0 && n.code != cutOff { // that is a body that was cut off, too
		class = strconv.Itoa(status/100) + "xx"
	}
	m.answers.WithLabelValues(n.route, n.method, class).Inc()
	m.durations.WithLabelValues(n.route, n.method).Observe(n.took.Seconds())
	if n.code != "" && n.kindLabel() == "upload" {
		m.refused.WithLabelValues(n.code).Inc()
	}
}

// methodLabel returns a method as the value of a label. Clients may send any text as a method, and must not be able to
// create a time series with each.
func methodLabel(method string) string {
	if slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, method) {
		return method
	}
	return "other"
}

// buildInfo is a gauge with the version as labels.
func buildInfo() prometheus.Collector {
	b := version.Of()
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "holdfast_build_info", Help: "1, with the version as labels.",
		ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Commit, "goversion": b.Go}})
	g.Set(1)
	return g
}
