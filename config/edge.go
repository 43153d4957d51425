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
		Most: r.int("MAX_CONNECTIONS", "connections of clients at the same time; 0: as many as the limit of open files "+
			"allows (`ulimit -n`, "+
			"see [Open files](#sizing)), at most 10000. When it is reached, a new connection closes the one that has been "+
			"silent or idle longest; "+
			"when all are serving requests, it gets 503", 0, 0, 1_000_000),
		PerClient: r.int("MAX_CONNECTIONS_PER_CLIENT", "and from one address (IPv6: one /64 network) that is not one of "+
			"`TRUSTED_PROXIES`; "+
			"then 429. 0: a quarter of all", 0, 0, 1_000_000),
		Idle: r.duration("IDLE_TIMEOUT", "an idle connection is kept open for so long; longer than the load balancer in "+
			"front keeps its own "+
			"(Google Cloud: 10 minutes), or requests meet a closing connection", 11*time.Minute, 24*time.Hour),
	}
}

// HSTS decides whether browsers are told to use TLS only.
func (m Mode) HSTS() bool { return m == Production }

func (r *reader) limits(m Mode) Limits {
	r.group = "Limits"
	rate := func(name, count, meaning string, otherwise, least int) Rate {
		return Rate{
			Count:  r.int("RATE_LIMIT_"+name+"_"+count, meaning, otherwise, least, 1_000_000),
			Window: r.timeFrom("RATE_LIMIT_"+name+"_WINDOW", "the window of those", time.Minute, time.Second, 24*time.Hour),
		}
	}
	return Limits{
		On: r.bool("RATE_LIMIT_ENABLED", "limits on how often may be asked, by identity, by address where there is "+
			"none, and by both for public forms; counted in `AUTH_REDIS_URL`, or in memory. On by itself with "+
			"`CONFIG=Production`", m == Production),
		Uploads: rate("UPLOAD", "REQUESTS", "uploads begun in a window; a file that is put together of partial uploads "+
			"counts once, and 16 parts may be begun for each; 0: any number", 10, 0),
		Downloads: rate("DOWNLOAD", "REQUESTS", "downloads in a window, and refused ones; a download pays for as many "+
			"bytes in ranges of its file; 0: any number", 100, 0),
		Failures: rate("AUTH", "FAILURES", "different wrong tokens from one address in a window; after that no unknown "+
			"one from there is looked up. At least 1: without this limit, tokens could be guessed", 100, 1),
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
	list := r.list(name, "a comma list of networks whose `X-Real-IP` is believed: where your own proxies are, and "+
		"nobody else; `private`: loopback and all private networks; `none`: nobody's; by default loopback, with "+
		"`BACKEND_PRIVATE_URL` as `private`")
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
