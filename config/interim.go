package config

import (
	"math"
	"strings"
)

// interim reads how many interim answers a request through a proxy may get at most.
func (r *reader) interim() int {
	const name = "INTERIM_THROUGH_PROXY"
	meaning := "interim answers of resumable uploads (104) through proxies: `off`, none, since nginx breaks the " +
		"connection; `first`, one for each request, for older Caddy (Debian 12's 2.6), which takes only a few; `on`, all, " +
		"for HAProxy and newer Caddy. Every proxy in front has to support them"
	switch strings.ToLower(r.get(name, meaning, "off")) {
	case "", "off", "0", "false", "no":
		return 0
	case "first":
		return 1
	case "on", "1", "true", "yes":
		return math.MaxInt
	}
	r.fault(name, "must be off, first or on")
	return 0
}
