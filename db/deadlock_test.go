package db

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"holdfast/file"
)

// Leases are renewed while files are recorded that lock the rows of several uploads: neither ends as a deadlock.
func TestNoDeadlockOfRenewals(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var renewals sync.WaitGroup
		for range 3 {
			renewals.Go(func() {
				for ctx.Err() == nil {
					if _, err := d.RenewLeases(t.Context(), "test", time.Minute); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for range 25 {
			var sources []file.ID
			for range 8 {
				u := newUpload()
				u.Sources, u.Partial = nil, true
				sources = append(sources, leased(t, d, u).ID)
			}
			u := newUpload()
			u.Sources = sources
			final := leased(t, d, u)
			was := final.Fence()
			final.Offset = final.Size
			noErr(t, d.Record(t.Context(), was, final, file.Record{ID: final.ID, Size: final.Size, AccountID: 4,
				CreatedAt: time.Now(), ETag: "e"}))
		}
		cancel()
		renewals.Wait()
	})
}

// What PostgreSQL ends as a deadlock is run again, also if that ends as one, and not for ever.
func TestDeadlockIsRetried(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		if !d.Shared() { // SQLite's transactions write one at a time
			return
		}
		mine, theirs := leased(t, d, newUpload()).ID, leased(t, d, newUpload()).ID
		for _, deadlocks := range []int{0, 1, deadlockRetries, deadlockRetries + 1} {
			want := min(deadlocks, deadlockRetries) + 1
			tries := 0
			var ended time.Time
			err := d.tx(t.Context(), "test", func(tx *transaction) error {
				if paused := time.Since(ended); tries > 0 && paused < deadlockPause/2 {
					t.Errorf("run again after %v", paused)
				}
				defer func() { ended = time.Now() }()
				if tries++; tries <= deadlocks {
					return deadlocked(t, d, tx, mine, theirs)
				}
				return d.lockUploads(t.Context(), tx, []file.ID{mine, theirs})
			})
			if tries != want || (err == nil) != (deadlocks <= deadlockRetries) || err != nil && !hasCode(err, deadlock) {
				t.Errorf("%d deadlocks: %d tries, %v; want %d", deadlocks, tries, err, want)
			}
		}
	})
}

// deadlocked locks two rows while another transaction locks them in the opposite order, and returns the error by which
// PostgreSQL ends this one.
func deadlocked(t *testing.T, d *DB, tx *transaction, mine, theirs file.ID) error {
	t.Helper()
	ctx := t.Context()
	if _, err := tx.ExecContext(ctx, `set local deadlock_timeout = '10ms'`); err != nil {
		t.Error(err)
	}
	if err := d.lockUploads(ctx, tx, []file.ID{mine}); err != nil {
		return err
	}
	other, err := d.beginTx(ctx, "test")
	if err != nil {
		return err
	}
	var backend int
	noErr(t, other.QueryRowContext(ctx, `select pg_backend_pid()`).Scan(&backend))
	_, err = other.ExecContext(ctx, `set local deadlock_timeout = '1h'`) // it does not look, so that it is not ended
	noErr(t, err)
	opposite := &transaction{Tx: other, pool: d.write}
	noErr(t, d.lockUploads(ctx, opposite, []file.ID{theirs}))
	gone := make(chan error, 1)
	go func() {
		err := d.lockUploads(ctx, opposite, []file.ID{mine})
		gone <- errors.Join(err, other.Rollback())
	}()
	for waits := false; !waits; time.Sleep(time.Millisecond) {
		if len(gone) > 0 {
			t.Fatalf("the other transaction did not wait: %v", <-gone)
		}
		noErr(t, d.sql.QueryRowContext(ctx, `select cardinality(pg_blocking_pids($1)) > 0`, backend).Scan(&waits))
	}
	err = d.lockUploads(ctx, tx, []file.ID{theirs})
	noErr(t, errors.Join(tx.Rollback(), <-gone))
	return err
}
