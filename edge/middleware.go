package edge

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"holdfast/limit"
	"holdfast/problem"
)

// withSecurityHeaders sets the headers that every answer has. A handler may replace them.
func withSecurityHeaders(hsts bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Resource-Policy", "same-origin") // files override it with RESOURCE_POLICY
		h.Set("Content-Security-Policy", problem.Policy)
		h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		if hsts {
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains") // RFC 6797
		}
		next.ServeHTTP(w, r)
	})
}

// withDeadlines limits how long a client may take to send its request and to receive the answer. net/http has no such
// limit, not even where it reads what a handler has left of a body before it answers. Handlers that read or write much
// extend the deadline with every piece.
func withDeadlines(read, write time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.ContentLength != 0 {
			_ = control.SetReadDeadline(time.Now().Add(read))
		}
		var until time.Time // uploads have none: their answer could come after it
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			until = time.Now().Add(write)
		}
		_ = control.SetWriteDeadline(until) // the deadline of the connection's last request is still set
		next.ServeHTTP(w, r)
	})
}

// recoverPanics answers 500 if a handler panics. If the answer has already begun, it cuts the connection.
func recoverPanics(respond problem.Responder, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler {
				panic(v)
			}
			err := fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			if requestInfoOf(r.Context()).status() != 0 {
				respond.LogError(r, http.StatusInternalServerError, err)
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("Connection", "close")
			respond.Write(w, r, err)
		}()
		next.ServeHTTP(w, r)
	})
}

// warnUntrustedProxy logs once if a proxy in a private network sends the address of a client but is not trusted: all
// its clients then count as one. Nothing is logged for other addresses, since any client can send these headers.
func warnUntrustedProxy(proxies limit.Proxies, log *slog.Logger, next http.Handler) http.Handler {
	var once sync.Once
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Real-IP") != "" || r.Header.Get("X-Forwarded-For") != "" {
			if peer, untrusted := proxies.Untrusted(r); untrusted && peer.IsPrivate() {
				once.Do(func() {
					log.Warn("requests come through a proxy that is not trusted, so all its clients count as one: "+
						"add it to TRUSTED_PROXIES (private: all private networks), or set that to none", "proxy", peer.String())
				})
			}
		}
		next.ServeHTTP(w, r)
	})
}
