package limit

import (
	"net/http"
	"net/netip"
	"slices"
)

// Proxies are the addresses whose word on who their client is counts.
type Proxies []netip.Prefix

// Client is the address that a request comes from: what a trusted proxy says in X-Real-IP,
// or else the other end of the connection. X-Forwarded-For is never looked at: clients
// write it, and proxies only add to it.
func (p Proxies) Client(r *http.Request) netip.Addr {
	addr := peer(r)
	if said := r.Header.Values("X-Real-IP"); p.trusted(addr) && len(said) == 1 {
		if client, err := netip.ParseAddr(said[0]); err == nil {
			return client.Unmap().WithZone("")
		}
	}
	return addr
}

// Untrusted is the other end of the connection, and whether its word does not count.
func (p Proxies) Untrusted(r *http.Request) (netip.Addr, bool) {
	addr := peer(r)
	return addr, !p.trusted(addr)
}

// peer is the other end of the connection; zero: unknown.
func peer(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// trusted says whether an address is one of them.
func (p Proxies) trusted(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(of netip.Prefix) bool { return of.Contains(addr) })
}

// address is an address as a key. Of IPv6 it is the network: whoever has one address there
// has them all.
func address(a netip.Addr) string {
	if a.Is6() {
		if network, err := a.Prefix(64); err == nil {
			return "ip:" + network.String()
		}
	}
	return "ip:" + a.String()
}
