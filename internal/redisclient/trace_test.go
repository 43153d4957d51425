package redisclient

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"holdfast/internal/test/redistest"
)

// Spans contain no keys or values of Redis, which may be tokens; health checks make none.
func TestSpansHaveNoKeys(t *testing.T) {
	client, err := Open(Options{URL: redistest.Start(t).URL(), Patience: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	spans := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
	client.Trace(provider)
	ctx, request := provider.Tracer("test").Start(t.Context(), "request")
	for _, err := range []error{client.Ping(ctx), client.Set(ctx, "secret-key", 20261129, time.Minute),
		client.Delete(ctx, "secret-key")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	request.End()
	provider.ForceFlush(context.Background())
	if n := len(spans.Ended()); n != 3 {
		t.Errorf("%d spans, want those of the request and of two commands", n)
	}
	for _, s := range spans.Ended() {
		if said := fmt.Sprint(s.Name(), s.Attributes(), s.Events()); strings.Contains(said, "secret") ||
			strings.Contains(said, "20261129") {
			t.Errorf("a span says %s", said)
		}
	}
}
