package access

import (
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Trace makes each question of a traced request a span, which the backend may go on with
// (W3C traceparent). No headers of ours are in it. It is called before the backend is used.
func (b *Backend) Trace(by trace.TracerProvider) {
	b.client.Transport = otelhttp.NewTransport(b.client.Transport, otelhttp.WithTracerProvider(by),
		otelhttp.WithPropagators(propagation.TraceContext{}), otelhttp.WithMeterProvider(noop.NewMeterProvider()))
}
