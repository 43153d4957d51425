package limit

import (
	"github.com/redis/go-redis/extra/redisotel/v9"
	"go.opentelemetry.io/otel/trace"
)

// Trace makes each command of a traced request a span, without its keys, which name people
// and addresses. It is called before Redis is used.
func (c *Redis) Trace(by trace.TracerProvider) error {
	return redisotel.InstrumentTracing(c.client, redisotel.WithTracerProvider(by), redisotel.WithDBStatement(false),
		redisotel.WithCallerEnabled(false), redisotel.WithDialFilter(true))
}
