package edge

import (
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/rs/cors"

	"holdfast/config"
	"holdfast/file"
	"holdfast/problem"
)

// crossOrigin lets the pages of the allowed origins in (CORS), and reads errors too.
func crossOrigin(c config.Config, base string) *cors.Cors {
	allowed := append(ownOrigins(base), c.AllowedOrigins...)
	o := cors.Options{
		AllowedOrigins:   allowed,
		AllowCredentials: true,
		AllowedMethods:   []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"},
		AllowedHeaders: []string{"Authorization", "Content-Type", "X-Guest-Authorization", "X-Public-Authorization", "X-Request-ID",
			"X-Requested-With", "X-HTTP-Method-Override", "Range", "If-Range", "If-None-Match", "If-Match", "If-Modified-Since",
			"If-Unmodified-Since", "Want-Repr-Digest", "Idempotency-Key", "Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Defer-Length", "Upload-Concat", "Upload-Checksum",
			"Upload-Draft-Interop-Version", "Upload-Complete", "Upload-Incomplete", "Content-Disposition", "Repr-Digest", "Traceparent", "Tracestate"},
		ExposedHeaders: []string{"Location", "Tus-Version", "Tus-Resumable", "Tus-Max-Size", "Tus-Extension", "Tus-Checksum-Algorithm",
			"Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Defer-Length", "Upload-Concat", "Upload-Expires",
			"Upload-Draft-Interop-Version", "Upload-Complete", "Upload-Incomplete", "Upload-Limit", "Content-Location", "Content-Range", "Content-Disposition", "Accept-Ranges", "ETag",
			"Repr-Digest", "Retry-After", "X-Request-ID"},
		MaxAge: 3600,
	}
	if len(allowed) == 0 {
		// The library takes an empty list for "everybody".
		o.AllowOriginFunc = func(string) bool { return false }
	}
	return cors.New(o)
}

// ownOrigins are those of the service itself, as clients see it. A loopback address has
// two names, and a page may be opened by either.
func ownOrigins(base string) []string {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return nil
	}
	if net.ParseIP(u.Hostname()).IsLoopback() {
		return []string{u.Scheme + "://localhost:" + u.Port(), u.Scheme + "://127.0.0.1:" + u.Port()}
	}
	return []string{u.Scheme + "://" + u.Host}
}

// rejectCrossOrigin refuses what a foreign page makes a browser send, wherever it would change
// something: the browser says from where it comes. Other clients say nothing, and are let
// through; so are the pages that CORS lets in.
func rejectCrossOrigin(origins *cors.Cors, respond problem.Responder, next http.Handler) http.Handler {
	check := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := check.Check(r); err != nil && !origins.OriginAllowed(r) {
			respond.Write(w, r, fmt.Errorf("%w: %w", file.ErrForbidden, err))
			return
		}
		next.ServeHTTP(w, r)
	})
}
