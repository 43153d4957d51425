package db

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// beginElsewhere creates a database without WAL in which another program has just begun to write, as a program does
// that switches it to WAL.
func beginElsewhere(t *testing.T) (path string, end func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "db")
	other, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate")
	noErr(t, err)
	t.Cleanup(func() { other.Close() })
	tx, err := other.Begin()
	noErr(t, err)
	return path, func() { noErr(t, tx.Rollback()) }
}

// The service and commands can start at the same time on a new folder: if another process is switching the database
// to WAL, they wait for it, up to the busy timeout.
func TestConnectBesideWriter(t *testing.T) {
	path, end := beginElsewhere(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := ConnectSQLite(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it did not wait: %v", err)
	}
	conn, err := sql.Open("sqlite", "file:"+path)
	noErr(t, err)
	defer conn.Close()
	var lite *sqlite.Error
	if err := useWAL(t.Context(), conn, time.Second); !errors.As(err, &lite) ||
		lite.Code() != sqlite3.SQLITE_BUSY {
		t.Errorf("it does not say what it waited for: %v", err)
	}

	connected := make(chan error)
	const together = 4
	for range together {
		go func() {
			d, err := ConnectSQLite(t.Context(), path)
			if err == nil {
				var mode string
				if err = d.sql.DB.QueryRow(`pragma journal_mode`).Scan(&mode); mode != "wal" {
					err = errors.Join(err, errors.New("journal_mode is "+mode))
				}
				d.Close()
			}
			connected <- err
		}()
	}
	end()
	for range together {
		if err := <-connected; err != nil {
			t.Error(err)
		}
	}
}

// Connections that read stay open between statements, all of them.
func TestReadersStayOpen(t *testing.T) {
	d, err := ConnectSQLite(t.Context(), filepath.Join(t.TempDir(), "db"))
	noErr(t, err)
	defer d.Close()
	var conns []*sql.Conn
	for range sqliteReaders {
		c, err := d.sql.Conn(t.Context())
		noErr(t, err)
		conns = append(conns, c)
	}
	for _, c := range conns {
		noErr(t, c.Close()) // gives it back
	}
	if idle := d.sql.Stats().Idle; idle != sqliteReaders {
		t.Errorf("%d of %d connections stayed open", idle, sqliteReaders)
	}
}
