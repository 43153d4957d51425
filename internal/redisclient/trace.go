package redisclient

import (
	"slices"

	"github.com/redis/go-redis/extra/redisotel/v9"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"
)

// Trace creates a span for each command of a traced request, without its keys and values, which may be tokens, users
// and addresses. It must be called before the client is used.
func (c *Client) Trace(by trace.TracerProvider) error {
	return redisotel.InstrumentTracing(c.redis, redisotel.WithTracerProvider(by), redisotel.WithDBStatement(false),
		redisotel.WithCallerEnabled(false), redisotel.WithDialFilter(true), redisotel.WithCommandFilter(isOwn),
		redisotel.WithCommandsFilter(func(all []redis.Cmder) bool { return slices.ContainsFunc(all, isOwn) }))
}

// isOwn reports whether a command belongs to no request: health checks, and the setup of a connection.
func isOwn(cmd redis.Cmder) bool {
	return slices.Contains([]string{"ping", "hello", "auth", "select", "client"}, cmd.Name())
}
