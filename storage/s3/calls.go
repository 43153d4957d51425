package s3

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// calls sees every call to the store, its retries included. It is counted, and is a span of
// the request that it belongs to, where those are traced.
type calls struct {
	metrics *metrics
	span    func(ctx context.Context, operation string) (context.Context, func(reason string)) // nil: no spans
}

// begin takes note of a call that begins; the function returned, of its end.
func (c *calls) begin(ctx context.Context, operation string) (context.Context, func(error)) {
	began, endSpan := time.Now(), func(string) {}
	if c.span != nil {
		ctx, endSpan = c.span(ctx, operation)
	}
	return ctx, func(err error) {
		reason := reasonOf(err)
		c.metrics.durations.WithLabelValues(operation).Observe(time.Since(began).Seconds())
		if reason != "" {
			c.metrics.errors.WithLabelValues(operation, reason).Inc()
		}
		endSpan(reason)
	}
}

// reasonOf says in a word why a call failed; empty: it did not.
func reasonOf(err error) string {
	s := status(err)
	switch {
	case err == nil:
		return ""
	case s >= 300 && s < 500:
		return "refused" // often an answer: there is no such object
	case s != 0:
		return "failed"
	case errors.Is(err, context.Canceled):
		return "canceled" // by whoever asked
	default:
		return "unreachable"
	}
}

// watch has the SDK tell c of its calls. It is the first of all that a call goes through.
func (c *calls) watch(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		operation := stack.ID()
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("HoldfastCalls",
			func(ctx context.Context, in middleware.InitializeInput,
				next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				ctx, end := c.begin(ctx, operation)
				out, about, err := next.HandleInitialize(ctx, in)
				if tries, ok := retry.GetAttemptResults(about); ok && len(tries.Results) > 1 {
					c.metrics.retries.WithLabelValues(operation).Add(float64(len(tries.Results) - 1))
				}
				end(err)
				return out, about, err
			}), middleware.Before)
	})
}
