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

// maxTries is how often a call is attempted.
const maxTries = 5

// newRetryer retries errors that may pass: failures of the store (5xx), throttling ("SlowDown", 429), bodies that
// were cut or damaged on the way, connections that broke or stalled. A call whose context has ended is not retried.
func newRetryer(l limits) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxTries
		o.Backoff = delays(l)
		// The SDK limits retries by one bucket of tokens for the whole client. After a long outage it is empty, and
		// then every small fault would fail a call at once.
		o.RateLimiter = ratelimit.None
		o.Retryables = append(o.Retryables,
			retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{http.StatusTooManyRequests: {}}},
			retry.RetryableErrorCode{Codes: map[string]struct{}{
				"InternalError": {}, "ServiceUnavailable": {}, // in the body of a 200
				"IncompleteBody": {}, "BadDigest": {}, "XAmzContentSHA256Mismatch": {}, "XAmzContentChecksumMismatch": {},
				// versitygw, if the last object of a folder is removed while another is put there. It always passes:
				// no key of Holdfast is a prefix of another.
				"ExistingObjectIsDirectory": {},
			}},
			retry.IsErrorRetryableFunc(brokenConnection))
	})
}

// brokenConnection finds retryable errors that the SDK does not know: in the middle of an answer, and our own
// deadlines.
func brokenConnection(err error) aws.Ternary {
	for _, broken := range []error{io.ErrUnexpectedEOF, io.EOF, os.ErrDeadlineExceeded, syscall.ECONNRESET,
		syscall.EPIPE, syscall.ECONNABORTED} {
		if errors.Is(err, broken) {
			return aws.TrueTernary
		}
	}
	var cut *xml.SyntaxError // an answer that was cut: the decoder hides the cause
	if status(err) < 300 && errors.As(err, &cut) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// delays returns the delay after an attempt, counted from 1: it doubles each time, and half of it is random, so
// that many callers do not return at once. A store that throttles gets a longer delay.
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
