// Package db holds all SQL: the records of files, the state of uploads, tokens, and
// the migrations. One text for each query serves SQLite and PostgreSQL.
//
// # Errors
//
// If SQL fails, the error is file.ErrDatabase (file.ErrNoSpace if its disk is full). A missing row is
// file.ErrNotFound. A commit whose fence no longer holds is file.ErrConflict, and has changed nothing. If the
// caller's context was canceled, the error is context.Canceled, and no fault of the database.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"holdfast/file"
)

// DB is an open, migrated database. Its methods may be called from several goroutines.
type DB struct {
	*calls
	sql *pool
	// write is for statements that change rows. SQLite allows one writer at a time, and waits for its turn by
	// sleeping and trying again; a pool of one connection is a queue instead.
	write *pool
	// groups runs SQLite's transactions; nil on PostgreSQL, which lets commits share a flush by itself.
	groups     *groups
	dialect    *strings.Replacer
	dsn        string // of PostgreSQL, for Listen; empty on SQLite
	quota      file.Quota
	unfinished int64 // unfinished uploads that an identity may have; 0: any number
	events     bool  // events are stored
	migrate    func(context.Context) error
	relief     func() bool
}

// OpenSQLite is ConnectSQLite and Migrate.
func OpenSQLite(ctx context.Context, path string) (*DB, error) {
	d, err := ConnectSQLite(ctx, path)
	return d.upToDate(ctx, err)
}

// OpenPostgres is ConnectPostgres and Migrate.
func OpenPostgres(ctx context.Context, dsn string) (*DB, error) {
	d, err := ConnectPostgres(ctx, dsn)
	return d.upToDate(ctx, err)
}

func (d *DB) upToDate(ctx context.Context, err error) (*DB, error) {
	if err == nil {
		if err = d.Migrate(ctx); err != nil {
			d.Close()
		}
	}
	return d, err
}

// Migrate brings the tables up to date, one process at a time. It has no time limit: an index over millions of rows
// takes longer than a query may.
func (d *DB) Migrate(ctx context.Context) error { return wrap(ctx, "migrate", d.migrate(ctx)) }

// ErrConfig says that the settings of a connection can't work: a file that they name is not there, for example.
var ErrConfig = errors.New("wrong settings of the connection")

// postgresConnections is the maximum number of connections.
const postgresConnections = 16

// ConnectPostgres opens the database at dsn. ErrConfig if that can't be used.
func ConnectPostgres(ctx context.Context, dsn string) (*DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("open database: %w: %w", ErrConfig, err)
	}
	conn := stdlib.OpenDB(*config, stdlib.OptionShouldPing(func(_ context.Context, p stdlib.ShouldPingParams) bool {
		return p.IdleDuration > time.Second || isReadable(p.Conn.PgConn().Conn())
	}))
	conn.SetMaxOpenConns(postgresConnections)
	conn.SetMaxIdleConns(postgresConnections) // a new one costs more than a query
	conn.SetConnMaxIdleTime(5 * time.Minute)
	c := &calls{metrics: newMetrics()}
	shared := &pool{DB: conn, calls: c}
	d := &DB{calls: c, sql: shared, write: shared, dsn: dsn,
		dialect: dialect("(extract(epoch from clock_timestamp()) * 1000)::bigint", `"C"`, " for update"),
		migrate: func(ctx context.Context) error { return migratePostgres(ctx, conn) }}
	return d, d.pingOrClose(ctx)
}

func (d *DB) pingOrClose(ctx context.Context) error {
	err := d.Ping(ctx)
	if err != nil {
		d.Close()
	}
	return err
}

// Close ends all connections.
func (d *DB) Close() error { return errors.Join(d.write.Close(), d.sql.Close()) }

// Ping checks whether the database answers.
func (d *DB) Ping(ctx context.Context) error {
	ctx, end := d.begin(ctx, "connect")
	err := wrap(ctx, "connect", d.sql.PingContext(ctx))
	end(err)
	return err
}

// Shared reports whether other processes may use this database at the same time.
func (d *DB) Shared() bool { return d.dsn != "" }

// dialect replaces what the two databases say differently: {now} is the SQL expression for the database's own clock, in
// milliseconds, since leases of several replicas are compared on one clock; {bytes} is the collation that sorts texts
// as S3 sorts keys; {lock} locks the rows that are read, which SQLite need not: its transactions write one at a time.
func dialect(now, bytes, lock string) *strings.Replacer {
	return strings.NewReplacer("{now}", now, "{bytes}", bytes, "{lock}", lock)
}

// text is a query for this database.
func (d *DB) text(query string) string { return d.dialect.Replace(query) }

func (d *DB) exec(ctx context.Context, doing, query string, args ...any) (n int64, err error) {
	err = d.retry(ctx, func() (err error) { n, err = exec(ctx, d.write, doing, d.text(query), args...); return err })
	return n, err
}

// counted is a connection or a transaction that reports its statements to calls.
type counted interface {
	begin(ctx context.Context, doing string) (context.Context, func(error))
}

type execer interface {
	counted
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}

func exec(ctx context.Context, on execer, doing, query string, args ...any) (n int64, err error) {
	ctx, end := on.begin(ctx, doing)
	defer func() { end(err) }()
	res, err := on.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, wrap(ctx, doing, err)
	}
	n, err = res.RowsAffected()
	return n, wrap(ctx, doing, err)
}

// row reads one row; the error is file.ErrNotFound if there is none.
func (d *DB) row(ctx context.Context, doing, query string, args []any, into ...any) error {
	return d.retry(ctx, func() error { return row(ctx, d.sql, doing, d.text(query), args, into...) })
}

type rower interface {
	counted
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func row(ctx context.Context, on rower, doing, query string, args []any, into ...any) error {
	ctx, end := on.begin(ctx, doing)
	err := wrap(ctx, doing, on.QueryRowContext(ctx, query, args...).Scan(into...))
	end(err)
	return err
}

// rows calls each for every row.
func (d *DB) rows(ctx context.Context, doing, query string, args []any,
	each func(scan func(...any) error) error) error {
	var began bool
	var err error
	return d.retry(ctx, func() error {
		if !began { // a retry would pass some rows a second time
			err = rows(ctx, d.sql, doing, d.text(query), args,
				func(scan func(...any) error) error { began = true; return each(scan) })
		}
		return err
	})
}

// appendTo appends the only column of each row to values.
func appendTo[T any](values *[]T) func(scan func(...any) error) error {
	return func(scan func(...any) error) error {
		var v T
		err := scan(&v)
		*values = append(*values, v)
		return err
	}
}

type queryer interface {
	counted
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func rows(ctx context.Context, on queryer, doing, query string, args []any,
	each func(scan func(...any) error) error) (err error) {
	ctx, end := on.begin(ctx, doing)
	defer func() { end(err) }()
	rows, err := on.QueryContext(ctx, query, args...)
	if err != nil {
		return wrap(ctx, doing, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return wrap(ctx, doing, err)
		}
	}
	return wrap(ctx, doing, rows.Err())
}

// tx runs fn in a transaction and commits it if fn returns no error. fn may run several times.
func (d *DB) tx(ctx context.Context, doing string, fn func(tx *transaction) error) error {
	if d.groups != nil {
		return d.retry(ctx, func() error { return d.groups.run(ctx, doing, fn) })
	}
	return d.retry(ctx, func() error { return d.tryTx(ctx, doing, fn) })
}

func (d *DB) tryTx(ctx context.Context, doing string, fn func(tx *transaction) error) error {
	begun, err := d.beginTx(ctx, doing)
	if err != nil {
		return err
	}
	defer begun.Rollback()
	tx := &transaction{Tx: begun, pool: d.write}
	if err := fn(tx); err != nil {
		return err
	}
	_, end := d.begin(ctx, "commit transaction") // includes the flush to disk
	err = wrap(ctx, doing, begun.Commit())
	end(err)
	if err != nil {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	tx.done(ctx)
	return nil
}

// beginTx begins a transaction.
func (d *DB) beginTx(ctx context.Context, doing string) (*sql.Tx, error) {
	_, end := d.begin(ctx, "begin transaction") // its context must live as long as the transaction
	tx, err := d.write.BeginTx(ctx, nil)
	err = wrap(ctx, doing, err)
	end(err)
	return tx, err
}

// wrap gives an SQL error its kind and prefixes it with what was being done.
func wrap(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%s: %w", doing, file.ErrNotFound)
	case errors.Is(err, file.ErrUnavailable), errors.Is(err, file.ErrNoSpace):
		return err
	case errors.Is(ctx.Err(), context.Canceled):
		// The caller has gone or has stopped waiting: this is no fault of the database. A driver may report
		// another error for it, such as that the transaction is over.
		return fmt.Errorf("%s: %w: %w", doing, context.Canceled, err)
	case diskIsFull(err):
		return fmt.Errorf("%s: %w: %w", doing, file.ErrNoSpace, err)
	default:
		// This includes contention: a locked SQLite, a deadlock, a serialization failure, a timeout. A retry may
		// succeed. A conflict is something else: there the query was answered, and the answer was no.
		return fmt.Errorf("%s: %w: %w", doing, file.ErrDatabase, err)
	}
}

// diskIsFull reports whether the database's disk is full.
func diskIsFull(err error) bool {
	const pgDiskFull = "53100" // PostgreSQL, appendix A
	var lite *sqlite.Error
	var pg *pgconn.PgError
	return errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_FULL || errors.As(err, &pg) && pg.Code == pgDiskFull
}
