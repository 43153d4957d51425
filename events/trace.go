package events

import (
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Trace makes each request a span, whose context is sent to the receiver (W3C traceparent). It is for a Sender that
// asks in the middle of a request; it must be called before the Sender is used.
func (s *Sender) Trace(by trace.TracerProvider) {
	s.client.Transport = otelhttp.NewTransport(s.client.Transport, otelhttp.WithTracerProvider(by),
		otelhttp.WithPropagators(propagation.TraceContext{}), otelhttp.WithMeterProvider(noop.NewMeterProvider()))
}
