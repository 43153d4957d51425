package redisclient

import (
	"errors"
	"net"
	"net/url"
	"strconv"

	"github.com/gomodule/redigo/redis"
)

// target is where a URL leads.
type target struct {
	address string
	options []redis.DialOption
}

var errURL = errors.New("not a Redis URL")

// parse reads redis://[user:password@]host[:port][/database], and the same with rediss for TLS. The database may also
// be the parameter db.
func parse(text string) (t target, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return t, err
	}
	if u.Scheme != "redis" && u.Scheme != "rediss" || u.Opaque != "" || u.Hostname() == "" {
		return t, errURL
	}
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	t.address = net.JoinHostPort(u.Hostname(), port)
	t.options = append(t.options, redis.DialUseTLS(u.Scheme == "rediss"))
	if password, set := u.User.Password(); set {
		t.options = append(t.options, redis.DialUsername(u.User.Username()), redis.DialPassword(password))
	}
	database := u.Path
	for name, values := range u.Query() {
		if name != "db" || len(values) != 1 || len(database) > 1 {
			return t, errURL
		}
		database = "/" + values[0]
	}
	if len(database) > 1 {
		n, err := strconv.Atoi(database[1:])
		if err != nil || n < 0 {
			return t, errURL
		}
		t.options = append(t.options, redis.DialDatabase(n))
	}
	return t, nil
}
