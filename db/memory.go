package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
)

// Template is a migrated, empty SQLite database from which databases in memory are made: that is a hundred times as
// fast as to migrate each.
type Template struct{ image []byte }

// image is implemented by SQLite's connections.
type image interface {
	Serialize() ([]byte, error)
	Deserialize([]byte) error
}

// NewTemplate migrates a database in memory.
func NewTemplate(ctx context.Context) (*Template, error) {
	d, err := connectMemory(time.Now)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	if err := d.Migrate(ctx); err != nil {
		return nil, err
	}
	t := &Template{}
	err = d.raw(ctx, func(c image) (err error) { t.image, err = c.Serialize(); return err })
	return t, err
}

// Open makes a database in memory whose clock is now. It has one connection, so all statements wait for each other,
// and nothing of it is durable: it is for tests that need a clock of their own.
func (t *Template) Open(ctx context.Context, now func() time.Time) (*DB, error) {
	d, err := connectMemory(now)
	if err != nil {
		return nil, err
	}
	if err := d.raw(ctx, func(c image) error { return c.Deserialize(t.image) }); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func connectMemory(now func() time.Time) (*DB, error) {
	const clock = "holdfast_now"
	// A driver of its own: functions that are registered with the shared one are seen by all databases of the process.
	m := memory{&sqlite.Driver{}, &atomic.Pointer[func() time.Time]{}}
	m.now.Store(&now)
	err := m.lite.RegisterScalarFunction(clock, 0, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		now := m.now.Load()
		if now == nil {
			return nil, sql.ErrConnDone
		}
		return (*now)().UnixMilli(), nil
	})
	if err != nil {
		return nil, fmt.Errorf("open database in memory: %w", err)
	}
	conn := sql.OpenDB(m)
	conn.SetMaxOpenConns(1) // the database ends with its connection
	c := &calls{metrics: newMetrics()}
	shared := &pool{DB: conn, calls: c, prepare: true}
	return &DB{calls: c, sql: shared, write: shared, groups: &groups{write: shared},
		dialect: dialect(clock+"()", "binary", ""),
		migrate: func(ctx context.Context) error { return migrateMemory(ctx, conn) }}, nil
}

// raw calls f with the connection.
func (d *DB) raw(ctx context.Context, f func(image) error) error {
	conn, err := d.sql.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error { return f(c.(image)) })
}

// memory opens connections, each to a database of its own.
type memory struct {
	lite *sqlite.Driver
	now  *atomic.Pointer[func() time.Time]
}

func (m memory) Connect(context.Context) (driver.Conn, error) {
	return m.lite.Open("file::memory:?" + sqliteOptions())
}

func (m memory) Driver() driver.Driver { return m.lite }

// Close lets go of the clock, and of all that it knows: the driver keeps functions of closed connections for ever.
func (m memory) Close() error {
	m.now.Store(nil)
	return nil
}
