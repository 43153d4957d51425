package s3

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// maxTries is how often a call is made before its error counts.
const maxTries = 5

// newRetryer repeats what may go well the next time: the store's own failures (5xx), "slow
// down" and 429, bodies that were cut or changed on the way, connections that broke or
// stalled. The end of the context is never repeated.
func newRetryer(l limits) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxTries
		o.Backoff = delays(l)
		// The SDK's own limit is one bucket of tokens for the whole client. After a fault that
		// lasted it is empty, and each small fault after that would fail a call at once.
		o.RateLimiter = ratelimit.None
		o.Retryables = append(o.Retryables,
			retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{http.StatusTooManyRequests: {}}},
			retry.RetryableErrorCode{Codes: map[string]struct{}{
				"InternalError": {}, "ServiceUnavailable": {}, // in an answer that began with 200
				"IncompleteBody": {}, "BadDigest": {}, "XAmzContentSHA256Mismatch": {}, "XAmzContentChecksumMismatch": {},
				// versitygw, where the last object of a folder is removed while one is put there.
				// No key of ours begins another.
				"ExistingObjectIsDirectory": {},
			}},
			retry.IsErrorRetryableFunc(brokenConnection))
	})
}

// brokenConnection finds what the SDK does not: errors in the middle of an answer, and our
// own deadlines.
func brokenConnection(err error) aws.Ternary {
	for _, broken := range []error{io.ErrUnexpectedEOF, io.EOF, os.ErrDeadlineExceeded, syscall.ECONNRESET,
		syscall.EPIPE, syscall.ECONNABORTED} {
		if errors.Is(err, broken) {
			return aws.TrueTernary
		}
	}
	var cut *xml.SyntaxError // an answer that ends in the middle: the decoder hides why
	if status(err) < 300 && errors.As(err, &cut) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// delays is how long to wait after a try, the first is 1: twice as long each time, and half
// of it left to chance so that many callers don't come back at once. A store that asks for
// less gets at least a second.
func delays(l limits) retry.BackoffDelayerFunc {
	throttled := retry.IsErrorThrottles(retry.DefaultThrottles)
	return func(try int, err error) (time.Duration, error) {
		d := l.backoff << (try - 1)
		if status(err) == http.StatusTooManyRequests || throttled.IsErrorThrottle(err) == aws.TrueTernary {
			d = max(d, l.maxBackoff/3)
		}
		d = min(d, l.maxBackoff)
		return d/2 + rand.N(d/2+1), nil
	}
}

// sleep waits for d, or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
