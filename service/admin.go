package service

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"holdfast/config"
)

// registry is where each package registers its metrics.
type registry = *prometheus.Registry

func newRegistry() registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// measured is anything that has metrics.
type measured interface {
	Register(prometheus.Registerer)
}

// register registers the metrics of each of these with r.
func register(r prometheus.Registerer, those ...measured) {
	for _, part := range those {
		part.Register(r)
	}
}

// longestProfile is the longest profile that ?seconds= may ask for.
const longestProfile = 2 * time.Minute

// serveAdmin serves metrics, and profiles if they are enabled, until stop is called. If ADMIN_ADDR is in use, that is
// an error; if the default address is in use, it only logs a warning.
func serveAdmin(a config.Admin, metrics prometheus.Gatherer, log *slog.Logger) (stop func(), err error) {
	if a.Addr == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", a.Addr)
	if err != nil && a.Chosen {
		return nil, fmt.Errorf("ADMIN_ADDR: %w", err)
	}
	if err != nil {
		log.Warn("metrics are not served: set ADMIN_ADDR to a free address, or to off", "error", err)
		return func() {}, nil
	}
	server := &http.Server{Handler: rejectForeignPages(a.Hosts, adminPages(a.Profiles, metrics)),
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      longestProfile, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	go func() { _ = server.Serve(listener) }() // it ends when the server is closed
	log.Info("serving metrics", "address", listener.Addr().String())
	return func() { server.Close() }, nil // there is no need to wait for a scrape
}

func adminPages(profiles bool, metrics prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	// If one collector fails, the metrics of the others are still shown.
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	if !profiles {
		return mux
	}
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// rejectForeignPages refuses requests that a page in an operator's browser sends: under a host name that is not ours,
// which its owner may point at this address (DNS rebinding), or from another origin. Programs send neither.
func rejectForeignPages(hosts []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		w.Header().Set("X-Frame-Options", "DENY")
		if !allowedHost(r.Host, hosts) {
			http.Error(w, "this host name is not in ADMIN_HOSTS", http.StatusMisdirectedRequest)
			return
		}
		origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
		if origin != "" && origin != "http://"+r.Host || site != "" && site != "same-origin" && site != "none" {
			http.Error(w, "pages of other origins may not read this", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// allowedHost reports whether a Host header is an IP address, localhost or one of the names.
func allowedHost(hostport string, names []string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	return host == "localhost" || slices.Contains(names, host)
}
