package redisclient

import (
	"context"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
)

// Scripts, which Redis runs atomically.
var (
	refund = redis.NewScript(`if redis.call("EXISTS", KEYS[1]) == 1 then
		redis.call("INCRBYFLOAT", KEYS[1], ARGV[1]) end return 0`)
	spend = redis.NewScript(`local left = redis.call("GET", KEYS[1])
if not left or tonumber(left) < tonumber(ARGV[1]) then return 0 end
redis.call("DECRBY", KEYS[1], ARGV[1]) return 1`)
)

// Take counts an event under a key, if count events in a window are not exceeded by it. wait is 0 if it was counted,
// and else the time after which the next one may be.
func (c *Client) Take(ctx context.Context, key string, count int, window time.Duration) (wait time.Duration,
	err error) {
	res, err := c.rates.Allow(ctx, key, redis_rate.Limit{Rate: count, Burst: count, Period: window})
	if err == nil && res.Allowed == 0 {
		wait = max(1, res.RetryAfter)
	}
	return wait, err
}

// Refund takes back an event that Take counted; interval is the window divided by the count. redis_rate stores, under
// its prefix "rate:", the time when all counted events will have expired, in seconds. It can't take an event back: with
// a negative number it does not set that time before now.
func (c *Client) Refund(ctx context.Context, key string, interval time.Duration) error {
	return refund.Run(ctx, c.redis, []string{"rate:" + key}, -interval.Seconds()).Err()
}

// Spend subtracts n from the number under a key and reports true, unless it is less than n or not there.
func (c *Client) Spend(ctx context.Context, key string, n int64) (bool, error) {
	return spend.Run(ctx, c.redis, []string{key}, n).Bool()
}
