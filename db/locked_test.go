package db

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"holdfast/file"
)

// If a query needs what another connection has locked, the database is unavailable; that is no conflict.
func TestLockedDatabase(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		u := newUpload()
		noErr(t, d.CreateUpload(t.Context(), u, "", 0))
		if !d.Shared() { // SQLite's driver waits for the whole busy timeout, even if ctx ends
			_, err := d.write.ExecContext(t.Context(), `pragma busy_timeout = 20`)
			noErr(t, err)
		}
		conn, err := d.sql.Conn(t.Context())
		noErr(t, err)
		defer conn.Close()
		lock := `begin immediate`
		if d.Shared() {
			lock = `begin; lock table uploads in exclusive mode`
		}
		_, err = conn.ExecContext(t.Context(), lock)
		noErr(t, err)
		for name, ask := range map[string]func(context.Context) error{
			"take lease": func(ctx context.Context) error { _, err := d.TakeLease(ctx, u.ID, "h", time.Minute); return err },
			"commit": func(ctx context.Context) error {
				_, err := d.Commit(ctx, u.Fence(), file.Progress{Offset: 1})
				return err
			},
			"give lease": func(ctx context.Context) error { return d.ReleaseLease(ctx, u.ID, 1, true) },
			"create":     func(ctx context.Context) error { return d.CreateUpload(ctx, newUpload(), "h", time.Minute) },
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			if err := ask(ctx); !errors.Is(err, file.ErrDatabase) || errors.Is(err, file.ErrConflict) ||
				errors.Is(err, file.ErrLocked) {
				t.Errorf("%s: %v", name, err)
			}
			cancel()
		}
		_, err = conn.ExecContext(t.Context(), `rollback`)
		noErr(t, err)
		noErr(t, d.CreateUpload(t.Context(), newUpload(), "", 0))
	})
}

// PostgreSQL's error codes after which a query may be retried.
func TestKindsOfPostgresErrors(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		if !d.Shared() {
			return
		}
		for code, want := range map[string]error{
			"40001": file.ErrDatabase, // serialization failure
			"40P01": file.ErrDatabase, // deadlock
			"55P03": file.ErrDatabase, // lock not available
			"57014": file.ErrDatabase, // statement timeout
			"53300": file.ErrDatabase, // too many connections
			"57P01": file.ErrDatabase, // the server shuts down
			"25006": file.ErrDatabase, // read only, as after a failover
			"53100": file.ErrNoSpace,  // its disk is full
		} {
			err := d.tx(t.Context(), "test", func(tx *transaction) error {
				_, err := exec(t.Context(), tx, "test", fmt.Sprintf(`do $$ begin raise exception 'x' using errcode = '%s'; end $$`,
					code))
				return err
			})
			if !errors.Is(err, want) || errors.Is(err, file.ErrConflict) || errors.Is(err, file.ErrLocked) {
				t.Errorf("%s: %v, want %v", code, err, want)
			}
		}
	})
}
