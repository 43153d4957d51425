package access

import (
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Trace creates a span for each request to the backend that belongs to a traced request. The
// backend can continue the trace (W3C traceparent). The span has none of our headers. Trace must be
// called before the backend is used.
func (b *Backend) Trace(by trace.TracerProvider) {
	b.client.Transport = otelhttp.NewTransport(b.client.Transport, otelhttp.WithTracerProvider(by),
		otelhttp.WithPropagators(propagation.TraceContext{}), otelhttp.WithMeterProvider(noop.NewMeterProvider()))
}
