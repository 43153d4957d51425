// Package redisclient opens connections to Redis whose waits all end, and whose logs and spans contain no keys.
package redisclient

import (
	"context"
	"errors"
	"time"

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

// Open returns a client, which connects on first use. The end of a command's context ends it, too.
func Open(o Options) (*redis.Client, error) {
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
	return redis.NewClient(to), nil
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}
