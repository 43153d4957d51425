package db

import (
	"context"
	"errors"
	"time"

	"holdfast/file"
)

// calls observes every statement. A statement is counted under the description that its error would have. If it
// belongs to a traced request, it is also a span of that request.
type calls struct {
	metrics *metrics
	span    func(ctx context.Context, doing string) (context.Context, func(error)) // nil: no spans
}

// begin records the start of a statement; the returned function records its end.
func (c *calls) begin(ctx context.Context, doing string) (context.Context, func(error)) {
	began, endSpan := time.Now(), func(error) {}
	if c.span != nil {
		ctx, endSpan = c.span(ctx, doing)
	}
	return ctx, func(err error) {
		if !isFault(err) {
			err = nil
		}
		c.metrics.durations.WithLabelValues(doing).Observe(time.Since(began).Seconds())
		if err != nil {
			c.metrics.errors.WithLabelValues(doing).Inc()
		}
		endSpan(err)
	}
}

// isFault reports whether an error is a fault of the database. A missing row is an answer, and a caller that no longer
// waits is no fault either.
func isFault(err error) bool {
	return (errors.Is(err, file.ErrUnavailable) || errors.Is(err, file.ErrNoSpace)) && !errors.Is(err, context.Canceled)
}
