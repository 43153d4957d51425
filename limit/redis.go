package limit

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"holdfast/internal/redisclient"
)

const (
	// prefix separates the keys from those of other programs in this Redis.
	prefix = "holdfast:limit:"
	// redisPause is how long Redis is not asked after a failure.
	redisPause = time.Second
)

// Redis counts for all replicas together. While Redis does not answer, each replica counts for
// itself: a failure of the limits must not make files unavailable.
type Redis struct {
	client  *redisclient.Client
	memory  *Memory
	log     *slog.Logger
	timeout time.Duration // of each call to Redis
	down    atomic.Bool
	retry   atomic.Pointer[time.Time] // of the next attempt
}

// NewRedis returns a Redis at a URL, for which a request waits no longer than timeout. The server may still be down.
func NewRedis(url string, timeout time.Duration, log *slog.Logger) (*Redis, error) {
	client, err := redisclient.Open(redisclient.Options{URL: url, Patience: timeout})
	if err != nil {
		return nil, fmt.Errorf("AUTH_REDIS_URL: %w", err)
	}
	return &Redis{client: client, memory: NewMemory(), log: log, timeout: timeout}, nil
}

// Close ends the connections.
func (c *Redis) Close() error { return c.client.Close() }

// Take counts an event if the rate allows it.
func (c *Redis) Take(ctx context.Context, key string, r Rate) (wait time.Duration) {
	if r.Count == 0 {
		return 0
	}
	if !c.ask(ctx, func(ctx context.Context) (err error) {
		wait, err = c.client.Take(ctx, prefix+key, r.Count, r.Window)
		return err
	}) {
		return c.memory.Take(ctx, key, r)
	}
	return wait
}

// Refund takes back an event that Take counted.
func (c *Redis) Refund(ctx context.Context, key string, r Rate) {
	if !c.ask(ctx, func(ctx context.Context) error { return c.client.Refund(ctx, prefix+key, r.interval()) }) {
		c.memory.Refund(ctx, key, r)
	}
}

// Mark makes Marked true for ttl; with 0 it removes the mark.
func (c *Redis) Mark(ctx context.Context, key string, ttl time.Duration) {
	if !c.ask(ctx, func(ctx context.Context) error {
		if ttl <= 0 {
			return c.client.Delete(ctx, prefix+key)
		}
		return c.client.Set(ctx, prefix+key, 1, ttl)
	}) {
		c.memory.Mark(ctx, key, ttl)
	}
}

// Marked reports whether a key has a mark that has not expired.
func (c *Redis) Marked(ctx context.Context, key string) (marked bool) {
	if !c.ask(ctx, func(ctx context.Context) (err error) {
		marked, err = c.client.Exists(ctx, prefix+key)
		return err
	}) {
		return c.memory.Marked(ctx, key)
	}
	return marked
}

// Credit sets the credit of a key, in bytes, which expires after ttl.
func (c *Redis) Credit(ctx context.Context, key string, bytes int64, ttl time.Duration) {
	if !c.ask(ctx, func(ctx context.Context) error { return c.client.Set(ctx, prefix+key, bytes, ttl) }) {
		c.memory.Credit(ctx, key, bytes, ttl)
	}
}

// Spend takes bytes from a credit, or returns them if the number is negative.
func (c *Redis) Spend(ctx context.Context, key string, bytes int64) (spent bool) {
	if !c.ask(ctx, func(ctx context.Context) (err error) {
		spent, err = c.client.Spend(ctx, prefix+key, bytes)
		return err
	}) {
		return c.memory.Spend(ctx, key, bytes)
	}
	return spent
}

// ask makes a call to Redis, and reports whether it succeeded. It logs the first failure, and
// when Redis answers again.
func (c *Redis) ask(ctx context.Context, call func(context.Context) error) bool {
	if retry := c.retry.Load(); retry != nil && time.Now().Before(*retry) {
		return false
	}
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	err := call(limited)
	switch {
	case err == nil:
		if c.down.Swap(false) {
			c.log.Info("rate limits are counted in Redis again")
		}
	case ctx.Err() == nil: // else the request has ended, which is no failure of Redis
		c.retry.Store(new(time.Now().Add(redisPause)))
		if !c.down.Swap(true) {
			c.log.Warn("Redis does not answer: each replica counts its rate limits for itself", "error", err)
		}
	}
	return err == nil
}
