package storage

import (
	"context"
	"time"
)

// Calls records every call to a store: in the metrics and, if the request is traced, as a span. A store has one.
type Calls struct {
	metrics *metrics
	system  string // in the spans' names
	reason  func(error) string
	span    func(ctx context.Context, operation string) (context.Context, func(reason string)) // nil: no spans
}

// NewCalls returns the Calls of a store. reason is the label of a failed call in the metrics, one of refused, failed,
// unreachable and canceled; empty for nil.
func NewCalls(system string, reason func(error) string) *Calls {
	return &Calls{metrics: newMetrics(), system: system, reason: reason}
}

// Begin records the start of a call, which has S3's name for the operation. The returned function records its end.
func (c *Calls) Begin(ctx context.Context, operation string) (context.Context, func(error)) {
	began, endSpan := time.Now(), func(string) {}
	if c.span != nil {
		ctx, endSpan = c.span(ctx, operation)
	}
	return ctx, func(err error) {
		reason := c.reason(err)
		c.metrics.durations.WithLabelValues(operation).Observe(time.Since(began).Seconds())
		if reason != "" {
			c.metrics.errors.WithLabelValues(operation, reason).Inc()
		}
		endSpan(reason)
	}
}

// Retried counts attempts after the first one.
func (c *Calls) Retried(operation string, times int) {
	c.metrics.retries.WithLabelValues(operation).Add(float64(times))
}
