package redisclient

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Trace creates a span for each command of a traced request, without its keys and values, which may be tokens, users
// and addresses. It must be called before the client is used.
func (c *Client) Trace(by trace.TracerProvider) {
	tracer := by.Tracer("holdfast/internal/redisclient")
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("db.system.name", "redis"))}
	c.span = func(ctx context.Context, command string) (context.Context, func(error)) {
		if !trace.SpanContextFromContext(ctx).IsValid() {
			return ctx, func(error) {} // health checks would be a new trace each
		}
		ctx, span := tracer.Start(ctx, "Redis "+command, options...)
		return ctx, func(err error) {
			if err != nil {
				span.SetStatus(codes.Error, "Redis failed") // its text may repeat the key
			}
			span.End()
		}
	}
}
