package limit

import "go.opentelemetry.io/otel/trace"

// Trace creates a span for each command of a traced request. It must be called before Redis is used.
func (c *Redis) Trace(by trace.TracerProvider) { c.client.Trace(by) }
