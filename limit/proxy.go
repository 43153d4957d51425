package limit

import (
	"math"
	"net/http"
)

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

// Interim returns what decides how many interim answers (1xx) a request may get at most. Some proxies take one for the
// final answer: nginx 1.22 sends the rest as its body, and the next request on the connection hangs. Others take a few:
// programs of Go before 1.23 end a request at the sixth. So throughProxy is how many a proxy may get.
func Interim(throughProxy int) func(*http.Request) int {
	return func(r *http.Request) int {
		switch {
		case !r.ProtoAtLeast(1, 1):
			return 0
		case ThroughProxy(r):
			return throughProxy
		}
		return math.MaxInt
	}
}
