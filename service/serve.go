// Package service runs the process: it opens the database and the store, wires the packages together, listens, runs
// the background work, and stops.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"holdfast/auth"
	"holdfast/config"
	"holdfast/db"
	"holdfast/download"
	"holdfast/edge"
	"holdfast/events"
	"holdfast/file"
	"holdfast/form"
	"holdfast/hooks"
	"holdfast/limit"
	"holdfast/openapi"
	"holdfast/problem"
	"holdfast/reconcile"
	"holdfast/reqbody"
	"holdfast/resumable"
	"holdfast/storage"
	"holdfast/tus"
	"holdfast/upload"
)

// ErrSettings says that settings do not fit together; nothing was started.
var ErrSettings = errors.New("wrong settings")

// sweepInterval is the interval between two searches for interrupted uploads.
const sweepInterval = time.Minute

// Serve runs the service until ctx ends: open, listen, wire, run, stop.
func Serve(ctx context.Context, c config.Config, stdout io.Writer, log *slog.Logger) (err error) {
	s := &server{config: c, log: log, layout: storage.Layout{BucketPrefix: c.Storage.BucketPrefix}}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.start(ctx, stdout); err != nil {
		if ctx.Err() != nil { // the error is that of a canceled step
			log.Info("stopped while starting", "error", err)
			return nil
		}
		return err
	}
	return s.run(ctx)
}

// server is the running service.
type server struct {
	config config.Config
	log    *slog.Logger
	layout storage.Layout

	deps     *Dependencies
	traces   *traces
	registry registry // of all metrics
	listener net.Listener
	base     edge.BaseURL

	certificate *certificate // nil: plain HTTP
	needsSums   bool         // see direct.Options

	engine      *upload.Engine
	connections *limit.Connections
	http        *http.Server
	drain       drain
	closers     []func() error
}

func (s *server) start(ctx context.Context, stdout io.Writer) error {
	for _, step := range []func(context.Context) error{s.checkMemory, s.openTLS, s.open, s.listen, s.wire,
		s.startBackground} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return s.announce(ctx, stdout)
}

// onClose registers f to be called when the service has stopped, before what was opened earlier is closed.
func (s *server) onClose(f func() error) { s.closers = append(s.closers, f) }

func (s *server) close() (err error) {
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i]())
	}
	return err
}

func (s *server) checkMemory(context.Context) error {
	c := s.config
	if least := upload.MemoryFor(upload.PartSize(c.MaxFileSize)); c.MemoryBudget < least {
		return fmt.Errorf("%w: MEMORY_BUDGET must be at least %d for files of MAX_FILE_SIZE=%d, which go to the store in "+
			"parts of %d bytes",
			ErrSettings, least, c.MaxFileSize, upload.PartSize(c.MaxFileSize))
	}
	if !c.MemoryLimit {
		debug.SetMemoryLimit(heapLimit(c, maxConnections(c.Connections)))
	}
	return nil
}

// heapLimit is where the garbage collector starts to work harder, in bytes. By default garbage may grow in proportion
// to what is used. Clients' bytes count only where they are in the heap.
func heapLimit(c config.Config, connections int) int64 {
	const rest, perConnection = 128 << 20, 50 << 10
	most := rest + perConnection*int64(connections)
	if upload.MemoryInHeap {
		most += c.MemoryBudget
	}
	if c.TLS.On() {
		most += int64(maxHTTP2(c.MemoryBudget)) * connectionWindow
	}
	return most
}

// open opens the traces, the database and the store.
func (s *server) open(ctx context.Context) (err error) {
	if s.traces, err = openTraces(ctx, s.config, s.log); err != nil {
		return err
	}
	s.onClose(func() error { s.traces.close(); return nil })
	if s.deps, err = open(ctx, s.config, s.log); err != nil {
		return err
	}
	s.onClose(s.deps.Close)
	s.traces.traceDependencies(s.deps)
	return nil
}

// listen opens the listener, so that the address is known before anything uses it.
func (s *server) listen(context.Context) (err error) {
	listener, err := net.Listen("tcp", address(s.config.Host, s.config.Port))
	if err != nil {
		return err
	}
	s.listener = boundedListener{listener}
	s.onClose(func() error { s.listener.Close(); return nil }) // the server may have closed it
	s.base = edge.NewBaseURL(s.config.PublicURL, s.config.TLS.Scheme(), s.reachable())
	s.registry = newRegistry()
	stop, err := serveAdmin(s.config.Admin, s.registry, s.log)
	if err != nil {
		return err
	}
	s.onClose(func() error { stop(); return nil })
	return nil
}

func (s *server) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// reachable is an address by which at least this machine reaches the service.
func (s *server) reachable() string { return ReachableAddress(s.config.Host, s.port()) }

// ReachableAddress is an address by which this machine reaches a service that listens on host, which may stand for
// all addresses.
func ReachableAddress(host string, port int) string {
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return address(host, port)
}

func address(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// wire makes the handlers of all requests.
func (s *server) wire(ctx context.Context) error {
	c, p := s.config, s.deps
	respond := problem.Responder{Log: s.log, Debug: c.Debug, Frontend: c.FrontendURL, Prefix: s.base.Prefix(),
		Observe: edge.ObserveProblem}
	rows := edge.ObservedRows{CachedDB: db.NewCached(p.Rows, c.CacheTTL)}
	links, err := openLinks(ctx, c, rows.CachedDB)
	if err != nil {
		return err
	}
	rules := hooks.Settings{Room: p.room, Layout: s.layout, MaxSize: c.MaxFileSize, TTL: c.UploadTTL, Now: time.Now,
		Moment: auth.Moment}
	if err := addHooks(c, p.Objects, s.traces, &rules); err != nil {
		return err
	}
	uploadHooks := hooks.New(rows, rules)
	parts, err := s.partReceiver(ctx)
	if err != nil {
		return err
	}
	s.engine = upload.NewEngine(rows, p.Objects, uploadHooks, upload.Settings{Memory: c.MemoryBudget, Room: p.Disk.Check},
		s.log)
	authenticator, limits, err := openCallers(ctx, c, p, s.traces)
	if err != nil {
		return err
	}
	decider := p.newDecider(c, links, s.traces)
	identify := edge.ObserveIdentity(authenticator.Identify)
	toStore, err := redirect(c, p.Objects)
	if err != nil {
		return err
	}
	files := download.New(download.Options{
		Records: rows, Grants: rows, Access: decider, Objects: p.Objects, Layout: s.layout, Respond: respond, Links: links,
		LinkRows: rows, Remove: s.engine.Remove, Base: s.base.Of, CacheControl: c.Download.CacheControl,
		FrameOptions: c.Download.FrameOptions, ResourcePolicy: c.Download.ResourcePolicy,
		StoreTimeout: c.Download.StoreTimeout, WriteTimeout: c.WriteTimeout, LinkMaxTTL: c.Links.MaxTTL, CacheTTL: c.CacheTTL,
		Redirect: toStore, Limits: limits,
	})
	uploads, err := s.uploadHandler(respond, identify, files, limits)
	if err != nil {
		return err
	}
	forms := form.New(form.Options{
		Receive: s.engine.Receive, Fits: uploadHooks.Fits, Keys: p.Rows, Respond: respond, Base: s.base.Of,
		ReadTimeout: c.ReadTimeout, Limit: limits.Upload, Whole: uploads.CheckWhole,
	})
	s.openConnections()
	register(s.registry, rows, p.Objects, p.Disk, uploadHooks, s.engine, limits, s.connections, authenticator, decider,
		files)
	s.drain.delay, s.drain.timeout = c.Drain.Delay, c.Drain.Timeout
	s.serveHTTP(edge.New(edge.Options{
		Config: c, Base: s.base, Uploads: uploads, Files: files, Forms: forms, Usage: p.Rows,
		Direct:   s.directHandler(parts, respond, limits),
		API:      openapi.New(s.base.String()),
		Identify: identify, Links: links, Respond: respond, Ready: s.ready(), Metrics: edge.NewMetrics(s.registry),
		Connections: s.connections, Log: s.log,
	}))
	return nil
}

// uploadHandler returns the endpoint of both protocols for resumable uploads. It also accepts plain uploads.
func (s *server) uploadHandler(respond problem.Responder, identify func(*http.Request) (file.Identity, error),
	files *download.Handler, rates *limit.Limits) (*resumable.Handler, error) {
	c, interim := s.config, limit.Interim(s.config.InterimThroughProxy)
	byTus, err := tus.NewHandler(tus.Options{
		Engine: s.engine, Respond: respond, Identify: identify, Base: s.base.Of, ReadTimeout: c.ReadTimeout,
		Download: files.Serve, Precondition: files.Precondition, Limits: rates, Interim: interim,
		ThroughProxy: limit.ThroughProxy,
	})
	if err != nil {
		return nil, err
	}
	return resumable.New(resumable.Options{
		Engine: s.engine, Respond: respond, Tus: byTus, Identify: identify, Download: files.Serve, IsFile: files.IsFile,
		Precondition: files.Precondition, Limit: rates.Upload, Interim: interim, Base: s.base.Of,
		ReadTimeout: c.ReadTimeout, MaxAge: c.UploadTTL,
	}), nil
}

// ready is the check behind /readyz.
func (s *server) ready() func(context.Context) error {
	more := append(s.deps.probes(s.config), edge.Dependency{Name: "uploads", Ping: s.engine.Moving})
	parts := s.deps.readiness(s.layout, more, s.log)
	return func(ctx context.Context) error {
		if s.drain.begun.Load() {
			return file.ErrStopping
		}
		if err := parts.Check(ctx); err != nil {
			return err
		}
		if s.deps.Disk.Check() != nil {
			return edge.NoUploads{Why: "no space left"}
		}
		return nil
	}
}

func (s *server) serveHTTP(h http.Handler) {
	s.http = &http.Server{
		ConnState:         s.connections.State,
		ConnContext:       s.connections.Context,
		Handler:           reqbody.SeeTrailers(s.traces.wrap(s.drain.closeConnections(h))),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       s.config.Connections.Idle,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	if s.certificate != nil {
		handshakes := newHandshakeLog(s.log)
		register(s.registry, s.certificate, handshakes)
		s.http.TLSConfig, _ = s.tlsConfig()
		s.http.HTTP2, s.http.ErrorLog = s.http2Config(), handshakes.logger()
	}
}

// startBackground starts the background work.
func (s *server) startBackground(ctx context.Context) error {
	s.watchCertificate(ctx)
	stopEngine := inBackground(ctx, func(ctx context.Context) { s.engine.Run(ctx, sweepInterval) })
	s.onClose(func() error { stopEngine(); s.engine.Wait(); return nil })
	stopSweep := sweepLeftovers(ctx, s.config, s.deps, reconcile.NewMetrics(s.registry), s.log)
	s.onClose(func() error { stopSweep(); return nil })
	stopStoreSweep := sweepStore(ctx, s.deps, storeSweepInterval, s.log)
	s.onClose(func() error { stopStoreSweep(); return nil })
	stopWebhooks, err := startWebhooks(ctx, s.config, s.deps.Rows, func(e *events.Sender) { e.Register(s.registry) },
		s.log)
	if err != nil {
		return err
	}
	s.onClose(func() error { stopWebhooks(); return nil })
	return nil
}

// run serves until ctx ends, and then stops.
func (s *server) run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.serve() }()
	s.log.Info("serving", "address", s.listener.Addr().String(), "base", s.base.String(), "settings", s.config.Redacted())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	return s.drain.run(s.http, s.engine.ReleaseLeases, s.log)
}

// openLinks takes the keys of signed links from the settings. If they have none, it takes the key in the database,
// which the first replica that needs it creates.
func openLinks(ctx context.Context, c config.Config, rows *db.CachedDB) (*auth.Links, error) {
	keys := c.Links.Keys
	if len(keys) == 0 {
		key, err := storedKey(ctx, rows.DB, "link key")
		if err != nil {
			return nil, err
		}
		keys = [][]byte{key}
	}
	return auth.NewLinks(keys, rows, time.Now), nil
}

// redirect says which files clients fetch from the store itself; nil: none.
func redirect(c config.Config, objects storage.Store) (*download.Redirect, error) {
	if !c.Download.Redirect {
		return nil, nil
	}
	store, ok := objects.(storage.Presigner)
	if !ok {
		return nil, fmt.Errorf("%w: DOWNLOAD_MODE=redirect needs a store that clients can reach", ErrSettings)
	}
	return &download.Redirect{Above: c.Download.RedirectAbove, Presign: store.Presigner(c.Download.RedirectEndpoint)}, nil
}
