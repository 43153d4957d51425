package s3

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"holdfast/storage"
)

// reasonOf is the label of a failed call in the metrics; empty if it succeeded.
func reasonOf(err error) string {
	s := status(err)
	switch {
	case err == nil:
		return ""
	case s >= 300 && s < 500:
		return "refused" // often the normal answer that there is no such object
	case s != 0:
		return "failed"
	case errors.Is(err, context.Canceled):
		return "canceled" // by the caller
	default:
		return "unreachable"
	}
}

// watch adds a middleware to the SDK that records its calls. It is the outermost, so it sees the call with its retries.
func watch(c *storage.Calls, o *s3.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		operation := stack.ID()
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("HoldfastCalls",
			func(ctx context.Context, in middleware.InitializeInput,
				next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				ctx, end := c.Begin(ctx, operation)
				out, about, err := next.HandleInitialize(ctx, in)
				if tries, ok := retry.GetAttemptResults(about); ok && len(tries.Results) > 1 {
					c.Retried(operation, len(tries.Results)-1)
				}
				end(err)
				return out, about, err
			}), middleware.Before)
	})
}
