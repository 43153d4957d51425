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
		h.Set("Cross-Origin-Resource-Policy", "same-origin") // of files: what RESOURCE_POLICY says
		h.Set("Content-Security-Policy", problem.Policy)
		h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		if hsts {
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains") // RFC 6797
		}
		next.ServeHTTP(w, r)
	})
}

// withDeadlines limits how long clients may take to send and to receive. net/http would wait without end, also for a
// body that no handler reads, before it answers. Handlers that read or write much extend the deadline with every piece.
func withDeadlines(read, write time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.ContentLength != 0 {
			_ = control.SetReadDeadline(time.Now().Add(read))
		}
		var until time.Time // of an upload: none, or its answer could come too late
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			until = time.Now().Add(write)
		}
		_ = control.SetWriteDeadline(until) // anew, since the one of the connection's last request stays
		next.ServeHTTP(w, r)
	})
}

// recoverPanics answers 500 for a handler that panicked. Where an answer has begun, it cuts the connection.
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

// warnUntrustedProxy logs once that a proxy in a private network says whose request it forwards, and is not believed:
// all its clients are taken for one. Nothing is logged for other addresses, from which anybody can say anything.
func warnUntrustedProxy(proxies limit.Proxies, log *slog.Logger, next http.Handler) http.Handler {
	var once sync.Once
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Real-IP") != "" || r.Header.Get("X-Forwarded-For") != "" {
			if peer, untrusted := proxies.Untrusted(r); untrusted && peer.IsPrivate() {
				once.Do(func() {
					log.Warn("a proxy is not believed whose requests it forwards, so that all its clients count as one: "+
						"name it in TRUSTED_PROXIES (private: all private networks), or set that to none", "proxy", peer.String())
				})
			}
		}
		next.ServeHTTP(w, r)
	})
}
