package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Limits are the rate limits.
type Limits struct {
	On        bool
	Uploads   Rate
	Downloads Rate
	Failures  Rate // different wrong tokens from one address
	// RedisTimeout is how long a request waits for Redis, which counts for all replicas.
	RedisTimeout time.Duration
}

// Rate is a number of events in a window.
type Rate struct {
	Count  int
	Window time.Duration
}

// Connections limits how many clients may be connected.
type Connections struct {
	Most      int // 0: derived from the limit of open files
	PerClient int // from one address; 0: a quarter of Most
	Idle      time.Duration
}

func (r *reader) connections() Connections {
	return Connections{
		Most: r.int("MAX_CONNECTIONS",
			"how many connections clients may have at the same time; 0: as many as the limit of open files allows (`ulimit "+
				"-n`, see [Open files](#sizing)), at most 10000. At the limit, a new connection closes the one that has been "+
				"silent or idle longest; if all are serving requests, it gets 503", 0, 0, 1_000_000),
		PerClient: r.int("MAX_CONNECTIONS_PER_CLIENT",
			"how many of them may come from one address (IPv6: one /64 network) that is not one of `TRUSTED_PROXIES`; more "+
				"get 429. 0: a quarter of `MAX_CONNECTIONS`", 0, 0, 1_000_000),
		Idle: r.duration("IDLE_TIMEOUT",
			"how long an idle connection is kept open. It must be longer than in the load balancer in front (Google Cloud: "+
				"10 minutes), or requests arrive at connections that are being closed", 11*time.Minute, 24*time.Hour),
	}
}

// HSTS decides whether browsers are told to use TLS only.
func (m Mode) HSTS() bool { return m == Production }

func (r *reader) limits(m Mode) Limits {
	r.group = "Limits"
	rate := func(name, count, meaning string, otherwise, least int) Rate {
		return Rate{
			Count:  r.int("RATE_LIMIT_"+name+"_"+count, meaning, otherwise, least, 1_000_000),
			Window: r.timeFrom("RATE_LIMIT_"+name+"_WINDOW", "the window of that limit", time.Minute, time.Second, 24*time.Hour),
		}
	}
	return Limits{
		On: r.bool("RATE_LIMIT_ENABLED",
			"limit requests: by identity, by address for anonymous requests, and by both for public forms. Counted in "+
				"`AUTH_REDIS_URL`, otherwise in memory. On by default with `CONFIG=Production`", m == Production),
		Uploads: rate("UPLOAD", "REQUESTS",
			"how many uploads an identity may begin in a window; a file that is put together "+
				"of partial uploads counts once, and 16 parts may be begun for each; 0: no limit", 10, 0),
		Downloads: rate("DOWNLOAD", "REQUESTS", "how many downloads an identity may begin in a window, including refused "+
			"ones; ranges of a file count as one download up to the file's size. So many links it may make, too, counted "+
			"apart; services of the file's account any number. 0: no limit", 100, 0),
		Failures: rate("AUTH", "FAILURES", "how many different wrong tokens may come from one address in a window; after "+
			"that unknown tokens from there are refused without a lookup. At least 1: without this limit, tokens could be "+
			"guessed", 100, 1),
		RedisTimeout: r.duration("RATE_LIMIT_REDIS_TIMEOUT", "how long a request waits for `AUTH_REDIS_URL` to count "+
			"it; after that each replica counts by itself until Redis answers", 500*time.Millisecond, time.Minute),
	}
}

// loopback is where a proxy on the same machine connects from. privateNetworks adds the private ranges (RFC 1918,
// RFC 4193) and link-local addresses: those of containers, but also of other people's machines.
const (
	loopback        = "127.0.0.0/8,::1/128"
	privateNetworks = loopback + ",10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,fc00::/7,fe80::/10"
)

// proxies reads the networks whose X-Real-IP is trusted; with "none" no network is. If there is a backend, the
// default is all private networks: the service then replaces another one that clients can reach only through its
// proxy, in a private network.
func (r *reader) proxies(backend bool) (all []netip.Prefix) {
	const name = "TRUSTED_PROXIES"
	list := r.list(name, "the networks, as a comma list, whose `X-Real-IP` is trusted: those of your own proxies, and no "+
		"others. `private`: loopback and all private networks; `none`: no network. By default loopback, or `private` if "+
		"`BACKEND_PRIVATE_URL` is set")
	switch {
	case len(list) == 0 && backend:
		list = []string{"private"}
	case len(list) == 0:
		list = strings.Split(loopback, ",")
	case len(list) == 1 && list[0] == "none":
		return nil
	}
	if i := slices.Index(list, "private"); i >= 0 {
		list = slices.Replace(list, i, i+1, strings.Split(privateNetworks, ",")...)
	}
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if addr, bad := netip.ParseAddr(s); bad == nil {
			p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			r.fault(name, fmt.Sprintf("must be networks such as 10.0.0.0/8, private, or none, not %q", s))
			continue
		}
		all = append(all, p.Masked())
	}
	return all
}
