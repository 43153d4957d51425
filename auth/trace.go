package auth

import "go.opentelemetry.io/otel/trace"

// Trace creates a span for each command of a traced request. It must be called before Redis is used.
func (r *Redis) Trace(by trace.TracerProvider) { r.client.Trace(by) }
