package events

import "github.com/prometheus/client_golang/prometheus"

// deliveries counts deliveries by their result.
type deliveries struct{ *prometheus.CounterVec }

func newDeliveries() deliveries {
	sent := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_events_sent_total",
		Help: "Deliveries to WEBHOOK_URL, by result: taken, failed, dead (the last attempt failed)."}, []string{"result"})
	for _, result := range []string{"taken", "failed", "dead"} { // so that they are shown, as 0, from the start
		sent.WithLabelValues(result)
	}
	return deliveries{sent}
}

// Register registers the metrics with r.
func (s *Sender) Register(r prometheus.Registerer) { r.MustRegister(s.deliveries) }
