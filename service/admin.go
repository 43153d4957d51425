package service

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// registry is where each package shows what it counts.
type registry = *prometheus.Registry

func newRegistry() registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// register has r show what each of these has counted.
func register(r prometheus.Registerer, those ...interface{ Register(prometheus.Registerer) }) {
	for _, part := range those {
		part.Register(r)
	}
}

// longestProfile is how long a profile may take that is asked for by ?seconds=.
const longestProfile = 2 * time.Minute

// observe serves metrics and profiles at address until stop is called; an empty address is
// nowhere. An address that is taken is no reason to serve no files. Profiles tell much of the
// process, and cost it time: they are here, and never where clients come.
func observe(address string, metrics prometheus.Gatherer, log *slog.Logger) (stop func()) {
	if address == "" {
		return func() {}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Warn("metrics are not served", "error", err)
		return func() {}
	}
	mux := http.NewServeMux()
	// What one collector can't say is no reason to show nothing of the others.
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: longestProfile,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	go server.Serve(listener)
	log.Info("serving metrics", "address", listener.Addr().String())
	return func() { server.Close() } // a scrape is nothing to wait for
}
