package db

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Trace makes each statement of a traced request a span, named after what the statement does. The span contains
// neither the statement's values nor the database's error text, which may repeat them. Call Trace before the
// database is used.
func (d *DB) Trace(by trace.TracerProvider) {
	tracer, system := by.Tracer("holdfast/db"), "sqlite"
	if d.Shared() {
		system = "postgresql"
	}
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("db.system.name", system))}
	d.span = func(ctx context.Context, doing string) (context.Context, func(error)) {
		if !trace.SpanContextFromContext(ctx).IsValid() {
			return ctx, func(error) {} // statements beside requests would be a new trace every second
		}
		ctx, span := tracer.Start(ctx, "SQL "+doing, options...)
		return ctx, func(err error) {
			if err != nil {
				span.SetStatus(codes.Error, "the database failed")
			}
			span.End()
		}
	}
}
