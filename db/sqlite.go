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

// ConnectSQLite opens the database in the file at path.
// WAL lets readers go on beside a writer; synchronous=FULL makes a commit survive a
// power cut, as an acknowledged offset must.
func ConnectSQLite(ctx context.Context, path string) (*DB, error) {
	// SQLite would make a file that everybody may read; those beside it follow its mode.
	// One that is there is not touched: to close it would drop this process's locks on it.
	if f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
		f.Close()
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	q := url.Values{
		"_pragma":      {fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "synchronous(FULL)", "foreign_keys(1)"},
		"_txlock":      {"immediate"}, // a transaction that begins by reading could not become a writer later
		"_time_format": {"sqlite"},
	}
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
	conn, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	conn.SetMaxOpenConns(8)
	writer, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	writer.SetMaxOpenConns(1)
	c := &calls{metrics: newMetrics()}
	d := &DB{calls: c, sql: &pool{DB: conn, calls: c, prepare: true}, write: &pool{DB: writer, calls: c, prepare: true},
		now: "cast(unixepoch('subsec') * 1000 as integer)", byBytes: "binary",
		migrate: func(ctx context.Context) error { return migrateSQLite(ctx, conn, path) }}
	if err := useWAL(ctx, writer, busyTimeout); err != nil {
		d.Close()
		return nil, wrap(ctx, "switch the database to WAL", err)
	}
	return d, d.reach(ctx)
}

// useWAL switches the file to WAL, which it then keeps: connections that are opened later find it so.
//
// The switch asks for the lock of a writer while it holds one of a reader. Where another connection has the
// former, SQLite answers SQLITE_BUSY at once whatever busy_timeout says, since that one may be waiting for us
// (https://www.sqlite.org/c3ref/busy_handler.html). So we let go and ask again after a random pause, for as long
// as a statement may wait.
func useWAL(ctx context.Context, conn *sql.DB, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		_, err := conn.ExecContext(ctx, `pragma journal_mode(WAL)`)
		var lite *sqlite.Error
		if err == nil || !errors.As(err, &lite) || lite.Code()&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(time.Millisecond + rand.N(20*time.Millisecond)):
		}
	}
}
