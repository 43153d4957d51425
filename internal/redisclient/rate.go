package redisclient

import (
	"context"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Scripts, which Redis runs atomically. Of a rate Redis stores the time when all counted events will have expired, in
// microseconds since 1970 by its own clock: each event moves it on by an interval, the window divided by the count, and
// an event is refused that would move it further than the window from now.
var (
	// Before version 5 of Redis, a script that asks for the time may write only after replicate_commands.
	take = redis.NewScript(1, `redis.replicate_commands()
local now = redis.call("TIME")
now = now[1] * 1000000 + now[2]
local ends = math.max(now, tonumber(redis.call("GET", KEYS[1]) or 0)) + ARGV[1]
local wait = ends - now - ARGV[2]
if wait > 0 then return wait end
redis.call("SET", KEYS[1], string.format("%.0f", ends), "PX", math.ceil((ends - now) / 1000))
return 0`)
	refund = redis.NewScript(1, `if redis.call("EXISTS", KEYS[1]) == 1 then
	redis.call("DECRBY", KEYS[1], ARGV[1]) end return 0`)
	spend = redis.NewScript(1, `local left = redis.call("GET", KEYS[1])
if not left or tonumber(left) < tonumber(ARGV[1]) then return 0 end
redis.call("DECRBY", KEYS[1], ARGV[1]) return 1`)
)

// rate is the key of a rate. The prefix is another than that of before ("rate:"), which had other units.
func rate(key string) string { return "until:" + key }

// Take counts an event under a key, if count events in a window are not exceeded by it. wait is 0 if it was counted,
// and else the time after which the next one may be.
func (c *Client) Take(ctx context.Context, key string, count int, window time.Duration) (wait time.Duration,
	err error) {
	interval := (window / time.Duration(count)).Microseconds()
	n, err := redis.Int64(c.run(ctx, take, rate(key), interval, window.Microseconds()))
	return time.Duration(n) * time.Microsecond, err
}

// Refund takes back an event that Take counted; interval is the window divided by the count.
func (c *Client) Refund(ctx context.Context, key string, interval time.Duration) error {
	_, err := c.run(ctx, refund, rate(key), interval.Microseconds())
	return err
}

// Spend subtracts n from the number under a key and reports true, unless it is less than n or not there.
func (c *Client) Spend(ctx context.Context, key string, n int64) (bool, error) {
	return redis.Bool(c.run(ctx, spend, key, n))
}
