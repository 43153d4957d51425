package edge

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// WithSpans makes a span for each request, in the client's trace if the request names one (W3C traceparent). The span
// gets its name and attributes when the request has been answered.
func WithSpans(provider trace.TracerProvider, next http.Handler) http.Handler {
	return otelhttp.NewHandler(next, "", otelhttp.WithTracerProvider(provider),
		otelhttp.WithMeterProvider(noop.NewMeterProvider()),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return methodLabel(r.Method) }),
		otelhttp.WithFilter(func(r *http.Request) bool { // health checks would be most of all traces
			return !strings.HasSuffix(r.URL.Path, "/healthz") && !strings.HasSuffix(r.URL.Path, "/readyz")
		}))
}

// describeSpan sets the attributes of the span of ctx's request. It replaces the path, which the library has recorded
// and which may contain a token, with the route.
func describeSpan(ctx context.Context, n *requestInfo) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetName(n.method + " " + n.route)
	id, _ := ctx.Value(requestIDKey{}).(string)
	attributes := []attribute.KeyValue{attribute.String("url.path", n.route), attribute.String("http.route", n.route),
		attribute.String("user_agent.original", ""), attribute.String("holdfast.request_id", id)}
	for name, value := range map[string]string{"holdfast.identity": string(n.kind), "holdfast.file": n.file.String(),
		"holdfast.code": n.code} {
		if value != "" {
			attributes = append(attributes, attribute.String(name, value))
		}
	}
	span.SetAttributes(attributes...)
}

// traceID returns the id of ctx's trace; empty: none.
func traceID(ctx context.Context) string {
	if c := trace.SpanContextFromContext(ctx); c.IsValid() {
		return c.TraceID().String()
	}
	return ""
}
