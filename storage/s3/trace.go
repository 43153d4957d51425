package s3

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Trace makes each call of a traced request a span. It is called before the client is used.
//
// Not otelaws: it knows nothing of the reader, and brings the SDKs of three other services.
// Nor the trace context as a header: the store's answer would be the same, and what a proxy
// adds to a signed header breaks the signature.
func (c *Client) Trace(by trace.TracerProvider) {
	tracer := by.Tracer("holdfast/storage")
	c.calls.span = func(ctx context.Context, operation string) (context.Context, func(string)) {
		if !trace.SpanContextFromContext(ctx).IsValid() {
			return ctx, func(string) {} // what goes on beside requests
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
