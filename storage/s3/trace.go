package s3

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Trace makes a span of each call that belongs to a traced request. Call it before the client is used.
//
// Not with otelaws: it does not see the reader's calls, and depends on the SDKs of three other services. The trace
// context is not sent to the store: the store does not use it, and a proxy that changes a signed header breaks the
// signature.
func (c *Client) Trace(by trace.TracerProvider) {
	tracer := by.Tracer("holdfast/storage")
	c.calls.span = func(ctx context.Context, operation string) (context.Context, func(string)) {
		if !trace.SpanContextFromContext(ctx).IsValid() {
			return ctx, func(string) {} // background work
		}
		ctx, span := tracer.Start(ctx, "S3 "+operation, trace.WithSpanKind(trace.SpanKindClient),
			trace.WithAttributes(attribute.String("rpc.system.name", "aws-api"), attribute.String("rpc.method",
				"S3/"+operation)))
		return ctx, func(reason string) {
			if reason != "" {
				span.SetStatus(codes.Error, reason)
			}
			span.End()
		}
	}
}
