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
	"holdfast/file"
	"holdfast/form"
	"holdfast/hooks"
	"holdfast/internal/filelock"
	"holdfast/problem"
	"holdfast/storage"
	"holdfast/tus"
)

const (
	// stopTimeout is how long running requests have to end when the service stops.
	stopTimeout = 10 * time.Second
	// sweepInterval is how often uploads that were cut short are looked for.
	sweepInterval = time.Minute
)

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
	p, err := open(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()

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
	respond := problem.Responder{Log: log, Debug: c.Debug, Frontend: c.FrontendURL, Prefix: prefixes(base)[0]}
	rows := db.Remember(p.rows, c.RememberTTL)
	links, err := openLinks(ctx, c, p.rows)
	if err != nil {
		return err
	}
	rules := hooks.Settings{Layout: layout, MaxSize: c.MaxFileSize, TTL: c.UploadTTL, Now: time.Now}
	if err := outside(c, p.objects, &rules); err != nil {
		return err
	}
	life := hooks.New(rows, rules)
	limitHeap(c.MemoryBudget)
	registry := newRegistry()
	defer observe(c.AdminAddr, registry, log)()
	engine := tus.NewEngine(rows, p.objects, life, tus.Settings{Memory: c.MemoryBudget}, log)
	limits, err := openLimits(c, p)
	if err != nil {
		return err
	}
	identify := guarded(authenticator(c.Auth, p).Identify, limits)
	files := download.New(download.Options{
		Records: rows, Grants: rows, Access: p.decider(c), Objects: p.objects, Layout: layout, Respond: respond, Links: links, Metrics: download.NewMetrics(registry),
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
	ready := func(ctx context.Context) error {
		err := errors.Join(p.rows.Ping(ctx), p.objects.Ping(ctx, layout.Object(0, "").Bucket))
		if p.redis != nil {
			err = errors.Join(err, p.redis.Ping(ctx))
		}
		return err
	}
	server := &http.Server{
		Handler:           routes(c, base, uploads, files, forms, usage(p.rows, respond), identify, links, respond, ready, log),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}

	running, stopEngine := context.WithCancel(context.WithoutCancel(ctx))
	engineDone := make(chan struct{})
	go func() { defer close(engineDone); engine.Run(running, sweepInterval) }()
	defer func() { stopEngine(); <-engineDone; engine.Wait() }()
	defer sweepLeftovers(ctx, c, p, log)()
	stopTelling, err := tellEvents(ctx, c, p.rows, log)
	if err != nil {
		return err
	}
	defer stopTelling()

	if err := announce(ctx, c, p.rows, base, port, stdout); err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info("serving", "address", listener.Addr().String(), "base", base, "settings", c.Redacted())

	select {
	case err := <-served:
		return err
	case err := <-p.broken:
		return fmt.Errorf("the embedded store ended: %w", errors.Join(err, server.Close()))
	case <-ctx.Done():
	}
	log.Info("stopping: running uploads commit what they have")
	engine.LetGo()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		log.Warn("requests were cut off", "error", err)
		return server.Close()
	}
	return nil
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

// parts are what the service stands on.
type parts struct {
	rows    *db.DB
	objects *storage.Client
	redis   *auth.Redis  // nil: none
	broken  <-chan error // the embedded store ended by itself
	log     *slog.Logger
	closers []func() error
}

// open opens database and store, and waits for those that are not there yet.
func open(ctx context.Context, c config.Config, log *slog.Logger) (_ *parts, err error) {
	p := &parts{log: log}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if c.Postgres == nil || c.Storage.Type == config.Embedded {
		if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
			return nil, err
		}
		unlock, err := filelock.Try(filepath.Join(c.DataDir, "lock"))
		if err != nil {
			return nil, fmt.Errorf("data folder %s: %w", c.DataDir, err)
		}
		p.closers = append(p.closers, func() error { unlock(); return nil })
	}
	err = wait(ctx, log, "database", c.StartTimeout, func(ctx context.Context) (err error) {
		p.rows, err = openDatabase(ctx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, p.rows.Close)
	if !p.rows.Shared() {
		// Whoever held a lease on this database is dead: its lock was free.
		if err := p.rows.DropLeases(ctx); err != nil {
			return nil, err
		}
	}
	if err := p.openRedis(c.Auth); err != nil {
		return nil, err
	}
	return p, p.openStore(ctx, c, log)
}

func (p *parts) openStore(ctx context.Context, c config.Config, log *slog.Logger) error {
	if c.Storage.Type == config.Embedded {
		embedded, err := storage.StartEmbedded(ctx, c.DataDir, c.EmbeddedSync)
		if err != nil {
			return err
		}
		p.objects, p.broken = embedded.Client, embedded.Done()
		p.closers = append(p.closers, embedded.Close)
		return nil
	}
	p.objects = storage.New(storage.Options{
		Endpoint: c.Storage.Endpoint, Region: c.Storage.Region, AccessKey: c.Storage.AccessKey, SecretKey: c.Storage.SecretKey,
		Signing: storage.Signing(c.Storage.Signing), Google: c.Storage.Type == config.Google,
	})
	p.closers = append(p.closers, func() error { p.objects.Close(); return nil })
	return wait(ctx, log, "object store", c.StartTimeout, func(ctx context.Context) error {
		return p.objects.Ping(ctx, storage.Layout{BucketPrefix: c.Storage.BucketPrefix}.Object(0, "").Bucket)
	})
}

// close closes the parts, the last opened first.
func (p *parts) close() (err error) {
	for i := len(p.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, p.closers[i]())
	}
	p.closers = nil
	return err
}

func openDatabase(ctx context.Context, c config.Config) (rows *db.DB, err error) {
	if c.Postgres != nil {
		rows, err = db.OpenPostgres(ctx, c.Postgres.DSN())
	} else if err = os.MkdirAll(c.DataDir, 0o700); err == nil {
		rows, err = db.OpenSQLite(ctx, filepath.Join(c.DataDir, "holdfast.db"))
	}
	if err != nil {
		return nil, err
	}
	rows.Limit(file.Quota(c.Quota))
	if c.Events.URL != "" {
		rows.KeepEvents()
	}
	return rows, nil
}

// wait tries until it works, at most for limit: services that start together come up
// in any order.
func wait(ctx context.Context, log *slog.Logger, what string, limit time.Duration, try func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := try(limited)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// Only what may come yet is waited for; a faulty migration won't.
		if !errors.Is(err, file.ErrUnavailable) {
			return err
		}
		log.Warn("waiting for the "+what, "for_at_most", limit.String(), "error", err)
		select {
		case <-limited.Done():
			return fmt.Errorf("the %s did not come within %s: %w", what, limit, err)
		case <-time.After(time.Second):
		}
	}
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
