// Package redisclient is what this service uses of Redis: a few commands, scripts, and rates that are counted there.
// All waits end, and logs and spans contain no keys. No other package knows the library.
package redisclient

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Options of a client.
type Options struct {
	URL         string        // redis:// or rediss://, with the password
	Patience    time.Duration // for each step: getting a connection, sending, receiving
	Connections int           // at most; 0: ten for each processor
	Retries     int           // of a command
}

// Client is a connection pool to one Redis. Its methods may be called from several goroutines.
type Client struct {
	Options
	pool *redis.Pool
	// span begins the span of a command, see Trace; nil: there are none.
	span func(ctx context.Context, command string) (context.Context, func(error))
}

const (
	// idleFor is how long a connection that nobody needs stays open.
	idleFor = 5 * time.Minute
	// trusted is how long a connection that was just used is taken for alive. Then it is asked.
	trusted = time.Second
)

// ErrNotText says that the value under a key is not a string.
var ErrNotText = errors.New("not a string")

// Open returns a client, which connects on first use. The end of a command's context ends it, too.
func Open(o Options) (*Client, error) {
	at, err := parse(o.URL)
	if err != nil {
		return nil, errors.New("not a Redis URL") // the error may contain the password
	}
	dial := append(at.options, redis.DialConnectTimeout(o.Patience), redis.DialTLSHandshakeTimeout(o.Patience),
		redis.DialReadTimeout(o.Patience), redis.DialWriteTimeout(o.Patience))
	o.Connections = cmp.Or(o.Connections, 10*runtime.GOMAXPROCS(0))
	return &Client{Options: o, pool: &redis.Pool{
		MaxActive: o.Connections, MaxIdle: o.Connections, Wait: true, IdleTimeout: idleFor,
		DialContext: func(ctx context.Context) (redis.Conn, error) {
			return redis.DialContext(ctx, "tcp", at.address, dial...)
		},
		TestOnBorrowContext: func(ctx context.Context, c redis.Conn, last time.Time) error {
			if time.Since(last) < trusted {
				return nil
			}
			_, err := redis.DoContext(c, ctx, "PING")
			return err
		},
	}}, nil
}

// Close ends all connections.
func (c *Client) Close() error { return c.pool.Close() }

// do runs a command on a connection, or several; command is the name of the span, "" for none.
func (c *Client) do(ctx context.Context, command string,
	call func(context.Context, redis.Conn) (any, error)) (reply any, err error) {
	if c.span != nil && command != "" {
		var end func(error)
		ctx, end = c.span(ctx, command)
		defer func() { end(err) }()
	}
	for try := 0; ; try++ {
		reply, err = c.once(ctx, call)
		var refused redis.Error // Redis's answer, which it would give again
		if err == nil || errors.As(err, &refused) || try >= c.Retries || ctx.Err() != nil {
			return reply, err
		}
	}
}

// once is do without retries.
func (c *Client) once(ctx context.Context, call func(context.Context, redis.Conn) (any, error)) (reply any, err error) {
	waiting, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	conn, err := c.pool.GetContext(waiting)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return call(ctx, conn)
}

// command runs one command.
func (c *Client) command(ctx context.Context, name string, args ...any) (any, error) {
	return c.do(ctx, name, func(ctx context.Context, conn redis.Conn) (any, error) {
		return redis.DoContext(conn, ctx, name, args...)
	})
}

// run runs a script.
func (c *Client) run(ctx context.Context, script *redis.Script, args ...any) (any, error) {
	return c.do(ctx, "EVALSHA", func(ctx context.Context, conn redis.Conn) (any, error) {
		return script.DoContext(ctx, conn, args...)
	})
}

// Ping asks whether Redis answers.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.do(ctx, "", func(ctx context.Context, conn redis.Conn) (any, error) {
		return redis.DoContext(conn, ctx, "PING")
	})
	return err
}

// Get returns the first bytes of the value under a key, at most limit+1; none if there is no such key. The error is
// ErrNotText if the value is not a string.
func (c *Client) Get(ctx context.Context, key string, limit int64) ([]byte, error) {
	// Not GET: the value may have any length.
	value, err := redis.Bytes(c.command(ctx, "GETRANGE", key, 0, limit))
	var refused redis.Error
	if errors.As(err, &refused) && strings.HasPrefix(string(refused), "WRONGTYPE") {
		return nil, ErrNotText
	}
	return value, err
}

// Set stores a number under a key, which expires after ttl.
func (c *Client) Set(ctx context.Context, key string, value int64, ttl time.Duration) error {
	_, err := c.command(ctx, "SET", key, value, "PX", max(1, ttl.Milliseconds()))
	return err
}

// Delete removes a key.
func (c *Client) Delete(ctx context.Context, key string) error {
	_, err := c.command(ctx, "DEL", key)
	return err
}

// Exists reports whether there is a key.
func (c *Client) Exists(ctx context.Context, key string) (bool, error) {
	return redis.Bool(c.command(ctx, "EXISTS", key))
}
