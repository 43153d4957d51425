package limit

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"holdfast/file"
)

// Proxies are the addresses of trusted proxies, whose X-Real-IP is believed.
type Proxies []netip.Prefix

// Client is the client's address: X-Real-IP if the peer is a trusted proxy, else the peer's
// address. X-Forwarded-For is ignored: clients can send it, and proxies only append to
// it.
func (p Proxies) Client(r *http.Request) netip.Addr {
	addr := peer(r)
	if said := r.Header.Values("X-Real-IP"); p.trusted(addr) && len(said) == 1 {
		if client, err := parseAddress(said[0]); err == nil {
			return client.Unmap().WithZone("")
		}
	}
	return addr
}

// Visitor names the visitor of a public form who sends a request, by the form's token and the client's address: all
// visitors share the token. Whatever is counted for a visitor is counted by this name. Other callers have none.
func (p Proxies) Visitor(r *http.Request, who file.Identity) string {
	if who.Kind != file.KindPublic {
		return ""
	}
	return who.Principal() + "@" + address(p.Client(r))
}

// parseAddress reads an address as proxies write it: an IPv6 address may be in brackets, and some append the port.
func parseAddress(s string) (netip.Addr, error) {
	if at, err := netip.ParseAddrPort(s); err == nil {
		return at.Addr(), nil
	}
	if inside, ok := strings.CutPrefix(s, "["); ok {
		s = strings.TrimSuffix(inside, "]")
	}
	return netip.ParseAddr(s)
}

// Untrusted returns the peer's address, and whether the peer is no trusted proxy.
func (p Proxies) Untrusted(r *http.Request) (netip.Addr, bool) {
	addr := peer(r)
	return addr, !p.trusted(addr)
}

// peer is the address of the other end of the connection; zero: unknown.
func peer(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// trusted reports whether addr is a trusted proxy.
func (p Proxies) trusted(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(of netip.Prefix) bool { return of.Contains(addr) })
}

// address is the key for an address. For IPv6 it is the network: a client that has one address
// of it has all.
func address(a netip.Addr) string {
	if a.Is6() {
		if network, err := a.Prefix(64); err == nil {
			return "ip:" + network.String()
		}
	}
	return "ip:" + a.String()
}
