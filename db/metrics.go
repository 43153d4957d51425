package db

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics count statements by what they do.
type metrics struct {
	durations *prometheus.HistogramVec
	errors    *prometheus.CounterVec
}

func newMetrics() *metrics {
	return &metrics{
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "holdfast_sql_duration_seconds",
			Help:    "Duration of SQL statements, with the wait for a connection, until the answer was read.",
			Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10}}, []string{"operation"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_sql_errors_total",
			Help: "SQL statements that failed: no answer in time, or no disk space."}, []string{"operation"}),
	}
}

// Register registers the metrics of statements, connections and the outbox with r.
func (d *DB) Register(r prometheus.Registerer) {
	r.MustRegister(d.metrics.durations, d.metrics.errors, collectors.NewDBStatsCollector(d.sql.DB, "holdfast"), outbox{d})
	if d.write != d.sql {
		r.MustRegister(collectors.NewDBStatsCollector(d.write.DB, "holdfast_writes"))
	}
}

// Register is DB's, and includes the metrics of the cache of records.
func (c *CachedDB) Register(to prometheus.Registerer) {
	c.DB.Register(to)
	c.records.Register(to, "records")
}

// outbox counts waiting and dead events at every scrape. Every replica reports the same numbers: take the maximum,
// not the sum.
type outbox struct{ db *DB }

var (
	eventsDesc = prometheus.NewDesc("holdfast_events", "Events in the outbox: waiting for delivery, or dead. The same in "+
		"every replica.", []string{"state"}, nil)
	oldestDesc = prometheus.NewDesc("holdfast_events_oldest_waiting_seconds",
		"Age of the oldest event that waits for delivery. The same in every replica.", nil, nil)
)

// outboxTimeout limits counting. If the database is down, a scrape still returns all other metrics.
const outboxTimeout = 2 * time.Second

func (o outbox) Describe(to chan<- *prometheus.Desc) { to <- eventsDesc; to <- oldestDesc }

func (o outbox) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), outboxTimeout)
	defer cancel()
	counts, oldest, err := o.db.countEvents(ctx)
	if err != nil {
		return // counted in holdfast_sql_errors_total
	}
	for _, state := range []string{"waiting", "dead"} {
		to <- prometheus.MustNewConstMetric(eventsDesc, prometheus.GaugeValue, float64(counts[state]), state)
	}
	to <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, oldest.Seconds())
}
