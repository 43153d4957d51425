package auth

import (
	"github.com/redis/go-redis/extra/redisotel/v9"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"
)

// Trace makes each command of a traced request a span, without its keys and values: a key
// may be a token. It is called before Redis is used.
func (r *Redis) Trace(by trace.TracerProvider) error {
	return redisotel.InstrumentTracing(r.client, redisotel.WithTracerProvider(by), redisotel.WithDBStatement(false),
		redisotel.WithCallerEnabled(false), redisotel.WithDialFilter(true),
		// Health checks are no requests.
		redisotel.WithCommandFilter(func(cmd redis.Cmder) bool { return cmd.Name() == "ping" }))
}
