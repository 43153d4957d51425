package db

import (
	"context"
	"errors"
	"time"

	"holdfast/file"
)

// calls sees every statement. It is counted under what was being done, the text that its
// error would have, and is a span of the request that it belongs to, where those are traced.
type calls struct {
	metrics *metrics
	span    func(ctx context.Context, doing string) (context.Context, func(error)) // nil: no spans
}

// begin takes note of a statement that begins; the function returned, of its end.
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

// isFault tells what is wrong with the database from what is its answer: that there is no
// such row, or that nobody waits for the answer any more.
func isFault(err error) bool {
	return (errors.Is(err, file.ErrUnavailable) || errors.Is(err, file.ErrNoSpace)) && !errors.Is(err, context.Canceled)
}
