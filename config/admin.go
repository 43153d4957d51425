package config

import (
	"net"
	"strings"
)

// Admin is the address at which operators reach the service.
type Admin struct {
	Addr string // empty: no such listener
	// Chosen says that Addr was set explicitly: then it must be free.
	Chosen   bool
	Hosts    []string // host names accepted in requests, besides IP addresses and localhost; lower case
	Profiles bool
}

func (r *reader) admin() Admin {
	const otherwise = "127.0.0.1:9464"
	a := Admin{
		Addr: r.address("ADMIN_ADDR", "the address of `/metrics`, for operators and Prometheus only; `off`: none. If it "+
			"is set and in use, the service does not start", otherwise),
		Profiles: r.bool("ADMIN_PROFILES",
			"serve `/debug/pprof/` at `ADMIN_ADDR`, too. Off by default: profiles reveal much about the process, and slow it "+
				"down", false),
	}
	a.Chosen = r.getenv("ADMIN_ADDR") != ""
	for _, host := range r.list("ADMIN_HOSTS",
		"host names that requests to `ADMIN_ADDR` may have, as a comma list without ports, such as a service's name in a "+
			"container network; IP addresses and `localhost` are always allowed. Others are refused, so that a page in an "+
			"operator's browser can't reach it by a name of its own (DNS rebinding)") {
		host = strings.ToLower(strings.TrimSuffix(host, "."))
		if _, _, err := net.SplitHostPort(host); err == nil || strings.ContainsAny(host, "/ *") || host == "" {
			r.fault("ADMIN_HOSTS", "must be names without ports, such as holdfast")
			continue
		}
		a.Hosts = append(a.Hosts, host)
	}
	return a
}
