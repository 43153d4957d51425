package redisclient

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// target is where a URL leads.
type target struct {
	address string
	options []redis.DialOption
}

var errURL = errors.New("not a Redis URL")

// tuning are parameters that tune another client (go-redis, redis-py): version 0.1 and the Python service took them in
// their URLs. Here Options say it.
var tuning = strings.Fields(`protocol client_name lib_name lib_version encoding encoding_errors decode_responses
	max_retries min_retry_backoff max_retry_backoff retry_on_timeout
	dial_timeout read_timeout write_timeout pool_timeout socket_connect_timeout socket_timeout timeout
	socket_keepalive health_check_interval pool_fifo pool_size min_idle_conns max_idle_conns max_active_conns
	max_concurrent_dials max_connections conn_max_idle_time conn_max_lifetime conn_max_lifetime_jitter idle_timeout
	idle_check_frequency max_conn_age pipeline_pool_size pipeline_read_buffer_size pipeline_write_buffer_size`)

// parse reads redis://[user:password@]host[:port][/database], and the same with rediss for TLS. The parameter db is the
// database, too. With skip_verify=true (go-redis) or ssl_cert_reqs=none (redis-py) any certificate is taken. Parameters
// that nobody knows are errors: a mistyped db would be another database.
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
	database := strings.TrimPrefix(u.Path, "/")
	for name, values := range u.Query() {
		switch value := values[0]; {
		case len(values) != 1:
			return t, errURL
		case name == "db":
			database = value
		case name == "skip_verify" || name == "ssl_cert_reqs":
			if slices.Contains([]string{"true", "1", "none", "CERT_NONE"}, value) {
				t.options = append(t.options, redis.DialTLSSkipVerify(true))
			}
		case !slices.Contains(tuning, name):
			return t, errURL
		}
	}
	if database == "" {
		return t, nil
	}
	n, err := strconv.ParseUint(database, 10, 31)
	if err != nil {
		return t, errURL
	}
	t.options = append(t.options, redis.DialDatabase(int(n)))
	return t, nil
}
