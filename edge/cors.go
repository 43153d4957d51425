package edge

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rs/cors"

	"holdfast/auth"
	"holdfast/config"
	"holdfast/file"
	"holdfast/problem"
)

// tracingHeaders are headers that tracing libraries, and some HTTP libraries, add to every request of a page. They are
// allowed so that a page with such a library can call the service, which reads only the first two.
var tracingHeaders = []string{"Traceparent", "Tracestate", "Baggage", "Sentry-Trace", "B3", "X-B3-TraceId",
	"X-B3-SpanId", "X-B3-ParentSpanId",
	"X-B3-Sampled", "X-B3-Flags", "X-Datadog-Trace-Id", "X-Datadog-Parent-Id", "X-Datadog-Origin",
	"X-Datadog-Sampling-Priority", "Newrelic",
	"Elastic-Apm-Traceparent", "Uber-Trace-Id", "X-Cloud-Trace-Context", "X-Amzn-Trace-Id", "Request-Id",
	"Request-Context", "X-Correlation-ID",
	"Cache-Control", "Pragma", "X-CSRFToken", "X-CSRF-Token", "X-XSRF-TOKEN"}

// origins are the origins whose pages may call the service (CORS).
//
// The library is rs/cors. jub0bs/cors (v0.8.0 was tried) refuses origins that are valid here: https with an IP address,
// which is also the service's own origin where it has no name, and a Firefox extension whose id begins with a digit. It
// does not tell whether an origin is allowed either, which rejectCrossOrigin asks. What it refuses at start and rs/cors
// would only ignore is refused by package config, which names the setting.
type origins struct {
	named     *cors.Cors // may send cookies
	anyOrigin *cors.Cors // may not; nil: no other origin is allowed
}

// newOrigins returns the allowed origins: the service's own and those of ALLOWED_ORIGINS. Their pages can also read
// errors. "*" allows any origin, without cookies: browsers refuse an answer that allows both (Fetch, 3.2.5).
func newOrigins(c config.Config, base string) origins {
	named := ownOrigins(base)
	for _, o := range c.AllowedOrigins {
		if o != "*" {
			named = append(named, o)
		}
	}
	o := cors.Options{
		AllowedOrigins:   named,
		AllowCredentials: true,
		AllowedMethods:   []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"},
		AllowedHeaders: slices.Concat(auth.Headers(), []string{"Content-Type", "X-Request-ID",
			"X-Requested-With", "X-HTTP-Method-Override", "Range", "If-Range", "If-None-Match", "If-Match", "If-Modified-Since",
			"If-Unmodified-Since", "Want-Repr-Digest", "Idempotency-Key", "Tus-Resumable", "Upload-Length", "Upload-Offset",
			"Upload-Metadata", "Upload-Defer-Length", "Upload-Concat", "Upload-Checksum",
			"Upload-Draft-Interop-Version", "Upload-Complete", "Upload-Incomplete", "Content-Disposition", "Repr-Digest",
			"Content-Digest"},
			tracingHeaders, c.AllowedHeaders),
		ExposedHeaders: []string{"Location", "Tus-Version", "Tus-Resumable", "Tus-Max-Size", "Tus-Extension",
			"Tus-Checksum-Algorithm",
			"Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Defer-Length", "Upload-Concat", "Upload-Expires",
			"Upload-Draft-Interop-Version", "Upload-Complete", "Upload-Incomplete", "Upload-Limit", "Content-Location",
			"Content-Range", "Content-Disposition", "Accept-Ranges", "ETag",
			"Repr-Digest", "Retry-After", "X-Request-ID", "Allow", "Accept-Encoding"},
		MaxAge: 3600,
	}
	if len(named) == 0 {
		// The library treats an empty list as any origin.
		o.AllowOriginFunc = func(string) bool { return false }
	}
	all := origins{named: cors.New(o)}
	if slices.Contains(c.AllowedOrigins, "*") {
		o.AllowedOrigins, o.AllowOriginFunc, o.AllowCredentials = []string{"*"}, nil, false
		all.anyOrigin = cors.New(o)
	}
	return all
}

// OriginAllowed reports whether a request comes from a page of an allowed origin.
func (o origins) OriginAllowed(r *http.Request) bool {
	return o.anyOrigin != nil || o.named.OriginAllowed(r)
}

// Handler answers preflights, and adds the headers to other answers that let an allowed page read them.
func (o origins) Handler(next http.Handler) http.Handler {
	named := o.named.Handler(next)
	anyOrigin := named
	if o.anyOrigin != nil {
		anyOrigin = o.anyOrigin.Handler(next)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sortPreflight(r)
		if o.anyOrigin == nil || o.named.OriginAllowed(r) {
			named.ServeHTTP(w, r)
			return
		}
		w.Header().Add("Vary", "Origin") // named origins get another answer
		anyOrigin.ServeHTTP(w, r)
	})
}

// sortPreflight rewrites Access-Control-Request-Headers as browsers send it: in lower case, sorted, without duplicates
// (Fetch, CORS-unsafe request-header names). The library accepts no other list.
func sortPreflight(r *http.Request) {
	const name = "Access-Control-Request-Headers"
	asked := r.Header.Values(name)
	if r.Method != http.MethodOptions || len(asked) == 0 {
		return
	}
	var all []string
	for header := range strings.SplitSeq(strings.ToLower(strings.Join(asked, ",")), ",") {
		if header = strings.Trim(header, " \t"); header != "" {
			all = append(all, header)
		}
	}
	slices.Sort(all)
	r.Header.Set(name, strings.Join(slices.Compact(all), ","))
}

// ownOrigins returns the origins of the service itself, as clients see it. A loopback address has several, since a
// page may be opened under each of its names.
func ownOrigins(base string) (all []string) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return nil
	}
	hosts := []string{u.Hostname()}
	if net.ParseIP(u.Hostname()).IsLoopback() {
		hosts = []string{"localhost", "127.0.0.1", "::1"}
	}
	for _, host := range hosts {
		all = append(all, config.Origin(&url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(host, u.Port())}))
	}
	return all
}

// rejectCrossOrigin refuses requests that change something and that a page of another origin made a browser send
// (CSRF). Browsers send the origin. Clients that send none are let through, as are the pages that CORS allows.
func rejectCrossOrigin(origins origins, respond problem.Responder, next http.Handler) http.Handler {
	check := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := check.Check(r); err != nil && !origins.OriginAllowed(r) && !sameHost(r) {
			respond.Write(w, r, fmt.Errorf("%w: %w", file.ErrForbidden, err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// sameHost reports whether a request without Sec-Fetch-Site, which browsers send over https only, comes from a page of
// the host that it is sent to. Proxies rewrite Host: with the port of the scheme, which Origin never has (nginx:
// $host:$server_port), or without the port (nginx: $host). So pages over plain HTTP on other ports of the same host are
// let through, too: they share its cookies anyway.
func sameHost(r *http.Request) bool {
	origin, err := url.Parse(r.Header.Get("Origin"))
	if err != nil || r.Header.Get("Sec-Fetch-Site") != "" || r.Host == "" {
		return false
	}
	from, to := config.Origin(origin), &url.URL{Scheme: origin.Scheme, Host: r.Host}
	return from != "" && (from == config.Origin(to) || origin.Scheme == "http" && to.Port() == "" &&
		strings.EqualFold(origin.Hostname(), to.Hostname()))
}
