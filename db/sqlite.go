package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// busyTimeout is how long a statement waits for the locks of other connections and processes.
const busyTimeout = 10 * time.Second

// sqliteReaders is how many statements read at the same time; the others wait.
const sqliteReaders = 8

// ConnectSQLite opens the database in the file at path. With WAL, readers are not blocked by a writer.
// synchronous=FULL makes a commit survive a power failure, as an acknowledged offset must.
func ConnectSQLite(ctx context.Context, path string) (*DB, error) {
	// SQLite would create a file that everybody may read; the files beside it get the same mode. An existing file is
	// not opened here: closing it would drop this process's locks on it.
	if f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
		f.Close()
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + sqliteOptions()
	conn, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	conn.SetMaxOpenConns(sqliteReaders)
	conn.SetMaxIdleConns(sqliteReaders) // a new one reads the schema and prepares all statements again
	conn.SetConnMaxIdleTime(5 * time.Minute)
	writer, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	writer.SetMaxOpenConns(1)
	c := &calls{metrics: newMetrics()}
	write := &pool{DB: writer, calls: c, prepare: true}
	d := &DB{calls: c, sql: &pool{DB: conn, calls: c, prepare: true}, write: write, groups: &groups{write: write},
		dialect: dialect("cast(unixepoch('subsec') * 1000 as integer)", "binary", ""),
		migrate: func(ctx context.Context) error { return migrateSQLite(ctx, conn, path) }}
	if err := useWAL(ctx, writer, busyTimeout); err != nil {
		d.Close()
		return nil, wrap(ctx, "switch the database to WAL", err)
	}
	return d, d.pingOrClose(ctx)
}

// sqliteOptions are those of every connection, as the query of its name.
func sqliteOptions() string {
	return url.Values{
		"_pragma":      {fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "synchronous(FULL)", "foreign_keys(1)"},
		"_txlock":      {"immediate"}, // a transaction that begins by reading could fail to become a writer later
		"_time_format": {"sqlite"},
	}.Encode()
}

// useWAL switches the file to WAL. The file keeps that mode: connections that are opened later use it.
//
// The switch requests a writer's lock while it holds a reader's lock. If another connection has the writer's lock,
// SQLite returns SQLITE_BUSY at once, regardless of busy_timeout, since that connection may be waiting for ours
// (https://www.sqlite.org/c3ref/busy_handler.html). So we release the reader's lock and try again after a random
// pause, for as long as a statement may wait.
func useWAL(ctx context.Context, conn *sql.DB, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var busy error // the last one: if the time is over, it says for what
	for {
		_, err := conn.ExecContext(ctx, `pragma journal_mode(WAL)`)
		var lite *sqlite.Error
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &lite) || lite.Code()&0xff != sqlite3.SQLITE_BUSY:
			return errors.Join(err, busy)
		}
		busy = err
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(time.Millisecond + rand.N(20*time.Millisecond)):
		}
	}
}
