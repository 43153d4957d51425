package limit

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/file"
)

// refusals counts refused requests by the limit that was reached.
type refusals struct{ *prometheus.CounterVec }

func newRefused() refusals {
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_rate_limit_refusals_total",
		Help: "Requests over a rate limit (429), by limit: upload, download, link, " +
			"denied, token."}, []string{"limit"})
	// so that the metrics exist before the first refusal
	for _, name := range []string{"upload", "download", "link", "denied", "token"} {
		refused.WithLabelValues(name)
	}
	return refusals{refused}
}

// Register adds the metrics of the limits to r; none if there are no limits.
func (l *Limits) Register(r prometheus.Registerer) {
	if l == nil {
		return
	}
	r.MustRegister(l.refused)
	if shared, ok := l.counter.(*Redis); ok {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_rate_limit_redis_up",
			Help: "1 while limits are counted in Redis, 0 while Redis does not answer and each replica counts by itself."},
			func() float64 {
				if shared.down.Load() {
					return 0
				}
				return 1
			}))
	}
}

// connectionMetrics count connections.
type connectionMetrics struct {
	open, most prometheus.GaugeFunc
	closed     *prometheus.CounterVec
	refused    *prometheus.CounterVec
}

func newConnectionMetrics(c *Connections) *connectionMetrics {
	m := &connectionMetrics{
		open: prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_connections",
			Help: "Open connections of clients, and with HTTP/2 the requests of each beyond its first."}, func() float64 {
			c.mu.Lock()
			defer c.mu.Unlock()
			return float64(len(c.open) + c.extra)
		}),
		most: prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_connections_limit",
			Help: "Limit of connections: MAX_CONNECTIONS, or derived from the limit of open files."},
			func() float64 { return float64(c.Most()) }),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_connections_closed_total",
			Help: "Connections that were closed to make room for others, by state: silent (no request yet), " +
				"idle."}, []string{"state"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_connections_refused_total",
			Help: "Connections over a limit, by limit: all (503), client (429)."}, []string{"limit"}),
	}
	for _, state := range []string{"silent", "idle"} {
		m.closed.WithLabelValues(state)
	}
	for _, limit := range []string{"all", "client"} {
		m.refused.WithLabelValues(limit)
	}
	return m
}

func (m *connectionMetrics) refuse(why error) {
	limit := "all"
	if errors.Is(why, file.ErrTooMany) {
		limit = "client"
	}
	m.refused.WithLabelValues(limit).Inc()
}

// Register adds the metrics of connections to r.
func (c *Connections) Register(r prometheus.Registerer) {
	r.MustRegister(c.metrics.open, c.metrics.most, c.metrics.closed, c.metrics.refused)
}
