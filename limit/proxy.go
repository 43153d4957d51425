package limit

import "net/http"

// ThroughProxy reports whether a request may have come through a proxy, as far as it tells: by headers that proxies
// add, or by what nginx speaks to its backends unless it is told otherwise: HTTP/1.0, or a connection for each request.
func ThroughProxy(r *http.Request) bool {
	for _, name := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return r.Close || !r.ProtoAtLeast(1, 1)
}

// Interim returns what decides whether a request gets interim answers (1xx). Proxies that do not know them take one for
// the final answer: nginx 1.22 sends the rest as its body, and the next request on the connection hangs. So none are
// sent through a proxy, unless all of them are known to pass interim answers on.
func Interim(proxiesPass bool) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.ProtoAtLeast(1, 1) && (proxiesPass || !ThroughProxy(r)) }
}
