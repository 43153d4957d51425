package limit

import "github.com/prometheus/client_golang/prometheus"

// refusals are counted by the limit that was reached.
type refusals struct{ *prometheus.CounterVec }

func newRefused() refusals {
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_rate_limit_refusals_total",
		Help: "Requests that were refused because too many came before (429), by the limit: upload, download, token."}, []string{"limit"})
	for _, name := range []string{"upload", "download", "token"} { // so that they are there before something happens
		refused.WithLabelValues(name)
	}
	return refusals{refused}
}

// Register has r show what was counted; nothing, where there are no limits.
func (l *Limits) Register(r prometheus.Registerer) {
	if l == nil {
		return
	}
	r.MustRegister(l.refused)
	if shared, ok := l.counter.(*Redis); ok {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "holdfast_rate_limit_redis_up",
			Help: "1 while limits are counted in Redis, 0 while it does not answer and each replica counts for itself."}, func() float64 {
			if shared.down.Load() {
				return 0
			}
			return 1
		}))
	}
}
