package storage

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Trace makes a span of each call that belongs to a traced request. Call it before the store is used.
//
// Not with otelaws: it does not see the calls of storage/s3's reader, and depends on the SDKs of three other services.
// The trace context is not sent to the store: the store does not use it, and a proxy that changes a signed header
// breaks the signature.
func (c *Calls) Trace(by trace.TracerProvider) {
	tracer := by.Tracer("holdfast/storage")
	c.span = func(ctx context.Context, operation string) (context.Context, func(string)) {
		if !trace.SpanContextFromContext(ctx).IsValid() {
			return ctx, func(string) {} // background work
		}
		ctx, span := tracer.Start(ctx, c.system+" "+operation, trace.WithSpanKind(trace.SpanKindClient))
		if c.system == "S3" {
			span.SetAttributes(attribute.String("rpc.system.name", "aws-api"), attribute.String("rpc.method", "S3/"+operation))
		}
		return ctx, func(reason string) {
			if reason != "" {
				span.SetStatus(codes.Error, reason)
			}
			span.End()
		}
	}
}
