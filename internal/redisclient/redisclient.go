// Package redisclient is what this service uses of Redis: a few commands, scripts, and rates that are counted there.
// All waits end, and logs and spans contain no keys. No other package knows the library.
package redisclient

import (
	"context"
	"errors"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Options of a client. The zero value of Connections is the library's default.
type Options struct {
	URL         string        // redis:// or rediss://, with the password
	Patience    time.Duration // for each step: connecting, sending, receiving, and getting a connection from the pool
	Connections int           // at most
	Retries     int           // of a command
}

// Client is a connection pool to one Redis. Its methods may be called from several goroutines.
type Client struct {
	redis *redis.Client
	rates *redis_rate.Limiter
}

// ErrNotText says that the value under a key is not a string.
var ErrNotText = errors.New("not a string")

// Open returns a client, which connects on first use. The end of a command's context ends it, too.
func Open(o Options) (*Client, error) {
	to, err := redis.ParseURL(o.URL)
	if err != nil {
		return nil, errors.New("not a Redis URL") // the error may contain the password
	}
	to.DialTimeout, to.ReadTimeout, to.WriteTimeout, to.PoolTimeout = o.Patience, o.Patience, o.Patience, o.Patience
	to.ContextTimeoutEnabled = true // otherwise a Redis that hangs would be waited for beyond the context
	to.PoolSize, to.MaxActiveConns, to.DialerRetries = o.Connections, o.Connections, 1
	if to.MaxRetries = o.Retries; o.Retries == 0 {
		to.MaxRetries = -1 // 0 is the library's default
	}
	to.DisableIdentity = true
	to.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	redis.SetLogger(quiet{}) // the library would log errors that it returns, and not to our log
	client := redis.NewClient(to)
	return &Client{client, redis_rate.NewLimiter(client)}, nil
}

// Close ends all connections.
func (c *Client) Close() error { return c.redis.Close() }

// Ping asks whether Redis answers.
func (c *Client) Ping(ctx context.Context) error { return c.redis.Ping(ctx).Err() }

// Get returns the first bytes of the value under a key, at most limit+1; none if there is no such key. The error is
// ErrNotText if the value is not a string.
func (c *Client) Get(ctx context.Context, key string, limit int64) ([]byte, error) {
	value, err := c.redis.GetRange(ctx, key, 0, limit).Bytes() // not GET: the value may have any length
	if redis.HasErrorPrefix(err, "WRONGTYPE") {
		return nil, ErrNotText
	}
	return value, err
}

// Set stores a number under a key, which expires after ttl.
func (c *Client) Set(ctx context.Context, key string, value int64, ttl time.Duration) error {
	return c.redis.Set(ctx, key, value, ttl).Err()
}

// Delete removes a key.
func (c *Client) Delete(ctx context.Context, key string) error { return c.redis.Del(ctx, key).Err() }

// Exists reports whether there is a key.
func (c *Client) Exists(ctx context.Context, key string) (bool, error) {
	n, err := c.redis.Exists(ctx, key).Result()
	return n > 0, err
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}
