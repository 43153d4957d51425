package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"holdfast/auth"
	"holdfast/config"
	"holdfast/db"
	"holdfast/edge"
	"holdfast/file"
	"holdfast/storage"
	"holdfast/storage/disk"
	"holdfast/storage/s3"
)

// DatabaseFile is the SQLite database in DATA_DIR.
const DatabaseFile = "holdfast.db"

// Store is a store with metrics and spans. If it is also a storage.Presigner, clients can be redirected to it.
type Store interface {
	storage.Store
	storage.Copier
	measured
	traced
}

// Dependencies are the database, the store and what else the service depends on.
type Dependencies struct {
	Rows    *db.DB
	Objects Store
	Disk    *disk.Reserve // nil: nothing is stored in DATA_DIR
	redis   *auth.Redis   // nil: none
	log     *slog.Logger
	closers []func() error

	readOnly bool // the embedded store is only read: another process may use it
}

// room returns file.ErrNoSpace if there is no space for an upload of so many bytes. In another store than the embedded
// one they need none in DATA_DIR, but rows of the database may.
func (p *Dependencies) room(bytes int64) error {
	if _, embedded := p.Objects.(*disk.Store); !embedded {
		bytes = 0
	}
	return p.Disk.Fits(bytes)
}

// open opens the database and the store, and waits for those that can't be reached yet.
func open(ctx context.Context, c config.Config, log *slog.Logger) (_ *Dependencies, err error) {
	p := &Dependencies{log: log}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	if c.Postgres == nil || c.Storage.Type == config.Embedded {
		if err := p.lockData(c.DataDir); err != nil {
			return nil, fmt.Errorf("data folder %s: %w", c.DataDir, err)
		}
		warnOfMode(c.DataDir, log)
		p.Disk = disk.NewReserve(c.DataDir, c.MinFreeSpace)
		if err := p.Disk.Prepare(); err != nil {
			return nil, err
		}
	}
	err = waitFor(ctx, log, "database", c.StartTimeout, func(ctx context.Context) (err error) {
		p.Rows, err = connectDatabase(ctx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, p.Rows.Close)
	if p.Disk != nil {
		p.Rows.OnFull(p.Disk.Release)
	}
	if err := p.Rows.Migrate(ctx); err != nil { // not within StartTimeout: it may take longer
		return nil, err
	}
	if !p.Rows.Shared() {
		// The process that held leases on this database is dead: its lock was free.
		if err := p.Rows.DropLeases(ctx); err != nil {
			return nil, err
		}
	}
	if err := p.openRedis(c.Auth); err != nil {
		return nil, err
	}
	return p, p.openStore(ctx, c, log)
}

// OpenBeside opens the dependencies for a command that runs beside the service. Only one process can change the
// embedded store: with it, the service has to be stopped.
func OpenBeside(ctx context.Context, c config.Config, log *slog.Logger) (*Dependencies, error) {
	return openBeside(ctx, c, log, &Dependencies{})
}

// OpenToRead is OpenBeside for a command that changes nothing in the store. The service may run, start and end
// meanwhile, whatever its store is.
func OpenToRead(ctx context.Context, c config.Config, log *slog.Logger) (*Dependencies, error) {
	return openBeside(ctx, c, log, &Dependencies{readOnly: true})
}

// OpenStore opens an S3 store for a command that needs no database.
func OpenStore(ctx context.Context, c config.Config, log *slog.Logger) (*Dependencies, error) {
	p := &Dependencies{}
	if err := p.openStore(ctx, c, log); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func openBeside(ctx context.Context, c config.Config, log *slog.Logger, p *Dependencies) (*Dependencies, error) {
	err := p.openData(ctx, c)
	if err == nil {
		err = p.openStore(ctx, c, log)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// openData locks the data folder, if it has the store and that may be changed, and opens the database.
func (p *Dependencies) openData(ctx context.Context, c config.Config) (err error) {
	if err := hasDatabase(c); err != nil { // before a folder is made
		return err
	}
	if c.Storage.Type == config.Embedded && !p.readOnly {
		if err := p.lockData(c.DataDir); err != nil {
			return fmt.Errorf("the embedded store in %s is changed by one process at a time: stop the service for this "+
				"command, or wait for the other command that is running: %w", c.DataDir, err)
		}
	}
	if p.Rows, err = OpenDatabase(ctx, c); err == nil {
		p.closers = append(p.closers, p.Rows.Close)
	}
	return err
}

func (p *Dependencies) openStore(ctx context.Context, c config.Config, log *slog.Logger) error {
	if c.Storage.Type == config.Embedded {
		return p.openEmbedded(ctx, c, false)
	}
	quirks, known := s3.Kind(c.Storage.Kind).Quirks()
	if !known {
		return fmt.Errorf("%w: no kind of store is called %q", ErrSettings, c.Storage.Kind)
	}
	var origins []string
	if c.Direct.On {
		origins = c.PartOrigins()
	}
	client := s3.New(s3.Options{
		Origins:  origins,
		Proxy:    c.Proxies.For,
		Endpoint: c.Storage.Endpoint, Region: c.Storage.Region, AccessKey: c.Storage.AccessKey,
		SecretKey: c.Storage.SecretKey,
		Signing:   s3.Signing(c.Storage.Signing), Quirks: quirks,
	})
	p.Objects = client
	p.closers = append(p.closers, func() error { client.Close(); return nil })
	return waitFor(ctx, log, "object store", c.StartTimeout, func(ctx context.Context) error {
		return p.Objects.Ping(ctx, storage.Layout{BucketPrefix: c.Storage.BucketPrefix}.Object(0, "").Bucket)
	})
}

// Close closes the dependencies, the last opened first.
func (p *Dependencies) Close() (err error) {
	for i := len(p.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, p.closers[i]())
	}
	p.closers = nil
	return err
}

// readiness returns the Readiness that pings the dependencies, and more.
func (p *Dependencies) readiness(layout storage.Layout, more []edge.Dependency, log *slog.Logger) *edge.Readiness {
	needed := []edge.Dependency{
		{Name: "database", Ping: p.Rows.Ping},
		{Name: "store", Ping: func(ctx context.Context) error { return p.Objects.Ping(ctx, layout.Object(0, "").Bucket) }},
	}
	if p.redis != nil {
		needed = append(needed, edge.Dependency{Name: "redis", Ping: p.redis.Ping})
	}
	return edge.NewReadiness(log, append(needed, more...))
}

// ErrNoDatabase says that DATA_DIR has no database, so it may be the wrong folder.
var ErrNoDatabase = errors.New("there is no database: is DATA_DIR right, and its disk mounted? The service makes one " +
	"when it starts")

// OpenDatabase opens the database for commands, without waiting for it. Other than CreateDatabase it makes none:
// ErrNoDatabase.
func OpenDatabase(ctx context.Context, c config.Config) (*db.DB, error) {
	if err := hasDatabase(c); err != nil {
		return nil, err
	}
	return CreateDatabase(ctx, c)
}

// CreateDatabase is OpenDatabase for commands that may run before the first start.
func CreateDatabase(ctx context.Context, c config.Config) (*db.DB, error) {
	return database(ctx, c, db.OpenPostgres, db.OpenSQLite)
}

// hasDatabase returns ErrNoDatabase if DATA_DIR should have a database and has none.
func hasDatabase(c config.Config) error {
	if c.Postgres != nil {
		return nil
	}
	path := filepath.Join(c.DataDir, DatabaseFile)
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: %w", path, ErrNoDatabase)
	}
	return err
}

// connectDatabase connects to the database, and leaves its tables as they are.
func connectDatabase(ctx context.Context, c config.Config) (*db.DB, error) {
	return database(ctx, c, db.ConnectPostgres, db.ConnectSQLite)
}

func database(ctx context.Context, c config.Config, postgres, sqlite func(context.Context, string) (*db.DB,
	error)) (rows *db.DB, err error) {
	if c.Postgres != nil {
		rows, err = postgres(ctx, c.Postgres.DSN())
	} else if err = os.MkdirAll(c.DataDir, 0o700); err == nil {
		rows, err = sqlite(ctx, filepath.Join(c.DataDir, DatabaseFile))
	}
	if errors.Is(err, db.ErrConfig) {
		err = fmt.Errorf("%w: %w", ErrSettings, err)
	}
	if err != nil {
		return nil, err
	}
	rows.Limit(file.Quota(c.Quota))
	rows.LimitUnfinished(c.MaxUnfinished)
	if c.Events.URL != "" {
		rows.KeepEvents()
	}
	return rows, nil
}

// waitFor retries until it works, at most for limit: services that start together come up in any order.
func waitFor(ctx context.Context, log *slog.Logger, what string, limit time.Duration,
	try func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// A loop of its own: at the limit the error is the last one of the dependency, not that the context has ended.
	for {
		err := try(limited)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// Only errors that may pass are retried; that of a faulty migration won't.
		if !errors.Is(err, file.ErrUnavailable) {
			return err
		}
		log.Warn("waiting at start", "for", what, "at_most", limit.String(), "error", err)
		select {
		case <-limited.Done():
			return fmt.Errorf("the %s was not reachable within %s: %w", what, limit, err)
		case <-time.After(time.Second):
		}
	}
}
