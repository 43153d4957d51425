package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"holdfast/admin"
	"holdfast/auth"
	"holdfast/config"
	"holdfast/db"
	"holdfast/download"
	"holdfast/events"
	"holdfast/file"
	"holdfast/form"
	"holdfast/hooks"
	"holdfast/openapi"
	"holdfast/problem"
	"holdfast/reconcile"
	"holdfast/storage"
	"holdfast/tus"
)

// sweepInterval is how often uploads that were cut short are looked for.
const sweepInterval = time.Minute

// limitHeap has the garbage collector work harder before the heap is much larger than what
// clients' bytes may take of it: it lets garbage grow with the heap, which is large when
// the budget is used up. The rest is for connections, some 50 KiB for each of thousands.
// GOMEMLIMIT, if it is set, is the operator's word.
func limitHeap(budget int64) {
	const rest = 128 << 20
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(budget + rest)
	}
}

func address(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// serve runs the service until ctx ends: open the parts, wire them, serve, stop.
func serve(ctx context.Context, c config.Config, stdout io.Writer, log *slog.Logger) (err error) {
	if least := tus.MemoryFor(hooks.PartSize(c.MaxFileSize)); c.MemoryBudget < least {
		return fmt.Errorf("%w: MEMORY_BUDGET must be at least %d for files of MAX_FILE_SIZE=%d, which go to the store in parts of %d bytes",
			errMisused, least, c.MaxFileSize, hooks.PartSize(c.MaxFileSize))
	}
	starting := true
	defer func() {
		if starting && err != nil && ctx.Err() != nil { // whatever was begun then is why
			log.Info("stopped while starting", "error", err)
			err = nil
		}
	}()
	spans, err := openTraces(ctx, c.Traces, log)
	if err != nil {
		return err
	}
	defer spans.close()
	p, err := open(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := spans.traceParts(p); err != nil {
		return err
	}

	listener, err := net.Listen("tcp", address(c.Host, c.Port))
	if err != nil {
		return err
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	base := c.PublicURL
	if base == "" {
		base = "http://" + address("127.0.0.1", port) + "/files"
	}

	layout := storage.Layout{BucketPrefix: c.Storage.BucketPrefix}
	respond := problem.Responder{Log: log, Debug: c.Debug, Frontend: c.FrontendURL, Prefix: prefixes(base)[0], Note: noteProblem}
	rows := notingRows{db.Remember(p.rows, c.RememberTTL)}
	links, err := openLinks(ctx, c, p.rows)
	if err != nil {
		return err
	}
	rules := hooks.Settings{Layout: layout, MaxSize: c.MaxFileSize, TTL: c.UploadTTL, Now: time.Now}
	if err := outside(c, p.objects, spans, &rules); err != nil {
		return err
	}
	life := hooks.New(rows, rules)
	limitHeap(c.MemoryBudget)
	registry := newRegistry()
	defer observe(c.AdminAddr, registry, log)()
	engine := tus.NewEngine(rows, p.objects, life, tus.Settings{Memory: c.MemoryBudget}, log)
	limits, err := openLimits(c, p, spans)
	if err != nil {
		return err
	}
	people, decider := authenticator(c.Auth, p), p.decider(c, spans)
	identify := notingIdentity(guarded(people.Identify, limits))
	files := download.New(download.Options{
		Records: rows, Grants: rows, Access: decider, Objects: p.objects, Layout: layout, Respond: respond, Links: links,
		Remove: engine.Remove, Base: base, CacheControl: c.Download.CacheControl, FrameOptions: c.Download.FrameOptions,
		StoreTimeout: c.Download.StoreTimeout, WriteTimeout: c.WriteTimeout, LinkMaxTTL: c.Links.MaxTTL, Remember: c.RememberTTL,
		Redirect: redirect(c, p.objects), Limit: limits.Download,
	})
	uploads, err := tus.NewHandler(tus.Options{
		Engine: engine, Hooks: life, Respond: respond, Identify: identify, Base: base, ReadTimeout: c.ReadTimeout, Download: files.Serve,
		Limit: limits.Upload,
	})
	if err != nil {
		return err
	}
	forms := form.New(form.Options{
		Receive: func(ctx context.Context, c hooks.Creation, body io.Reader, interrupt func()) (*file.Upload, error) {
			return engine.Receive(ctx, life.PreCreate, c, body, interrupt)
		},
		Fits: life.Fits, Keys: p.rows, Respond: respond, Base: base, ReadTimeout: c.ReadTimeout, Limit: limits.Upload,
	})
	stop := &drain{delay: c.Drain.Delay, timeout: c.Drain.Timeout}
	parts := p.readiness(layout, log)
	ready := func(ctx context.Context) error {
		if stop.begun.Load() {
			return file.ErrStopping
		}
		return parts.check(ctx)
	}
	connections := openConnections(c, log)
	register(registry, rows, p.objects, life, engine, limits, connections, people, decider, files)
	server := &http.Server{
		ConnState: connections.State,
		Handler: spans.through(stop.leaving(routes(c, base, uploads, files, forms, usage(p.rows, respond), identify, links, openapi.New(base), respond, ready,
			newRequestMetrics(registry), log))),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       c.Connections.Idle,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}

	running, stopEngine := context.WithCancel(context.WithoutCancel(ctx))
	engineDone := make(chan struct{})
	go func() { defer close(engineDone); engine.Run(running, sweepInterval) }()
	defer func() { stopEngine(); <-engineDone; engine.Wait() }()
	defer sweepLeftovers(ctx, c, p, reconcile.NewMetrics(registry), log)()
	stopTelling, err := tellEvents(ctx, c, p.rows, func(s *events.Sender) { s.Register(registry) }, log)
	if err != nil {
		return err
	}
	defer stopTelling()

	if err := announce(ctx, c, p.rows, base, port, stdout); err != nil {
		return err
	}
	starting = false
	served := make(chan error, 1)
	go func() { served <- server.Serve(connections.Listener(listener)) }()
	log.Info("serving", "address", listener.Addr().String(), "base", base, "settings", c.Redacted())

	select {
	case err := <-served:
		return err
	case err := <-p.broken:
		return fmt.Errorf("the embedded store ended: %w", errors.Join(err, server.Close()))
	case <-ctx.Done():
	}
	return stop.run(server, engine.LetGo, log)
}

// openLinks takes the keys of signed links from the settings, or else one from the
// database, which is made by the first who needs it.
func openLinks(ctx context.Context, c config.Config, rows *db.DB) (*auth.Links, error) {
	keys := c.Links.Keys
	if len(keys) == 0 {
		fresh := make([]byte, 32)
		rand.Read(fresh)
		key, err := rows.Secret(ctx, "link key", fresh)
		if err != nil {
			return nil, err
		}
		keys = [][]byte{key}
	}
	return auth.NewLinks(keys, time.Now), nil
}

// redirect says which files clients fetch from the store itself; nil: none.
func redirect(c config.Config, objects *storage.Client) *download.Redirect {
	if !c.Download.Redirect {
		return nil
	}
	return &download.Redirect{Above: c.Download.RedirectAbove, Presign: objects.Presigner(c.Download.RedirectEndpoint)}
}

// announce prints where the service is to be found.
func announce(ctx context.Context, c config.Config, rows *db.DB, base string, port int, stdout io.Writer) error {
	token := ""
	if c.Postgres == nil && c.Storage.Type == config.Embedded && c.Mode != config.Production {
		var err error
		if token, err = admin.DevToken(ctx, rows, c.DataDir); err != nil {
			return err
		}
	}
	var text strings.Builder
	fmt.Fprintln(&text, "Holdfast is ready")
	if hasExample(c.ExampleDir) {
		page, fragment := "http://"+address("127.0.0.1", port)+"/", ""
		if token != "" {
			fragment = "#token=" + token
		}
		fmt.Fprintf(&text, "  page      %s%s\n", page, fragment)
	}
	fmt.Fprintf(&text, "  uploads   %s/tus/\n", base)
	fmt.Fprintf(&text, "  data      %s\n", c.DataDir)
	if token != "" {
		fmt.Fprintf(&text, "  token     %s   (user 1, account 1)\n", token)
	}
	_, err := io.WriteString(stdout, text.String()) // at once: scripts read it while it is written
	return err
}

func hasExample(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, "index.html"))
	return err == nil && info.Mode().IsRegular()
}
