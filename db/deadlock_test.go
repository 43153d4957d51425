package db

import (
	"context"
	"sync"
	"sync/atomic"
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

// Two transactions that lock the same rows in opposite orders both succeed: the one that PostgreSQL ends is run again.
func TestDeadlockIsRetried(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		if !d.Shared() { // SQLite's transactions write one at a time
			return
		}
		ids := []file.ID{leased(t, d, newUpload()).ID, leased(t, d, newUpload()).ID}
		var tries atomic.Int32
		var both, locked sync.WaitGroup
		locked.Add(2) // each has its first row
		for i := range ids {
			both.Go(func() {
				first := sync.OnceFunc(func() { locked.Done(); locked.Wait() })
				err := d.tx(t.Context(), "test", func(tx *transaction) error {
					tries.Add(1)
					if err := d.lockUploads(t.Context(), tx, ids[i:i+1]); err != nil {
						return err
					}
					first()
					return d.lockUploads(t.Context(), tx, ids[1-i:2-i])
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if n := tries.Load(); n != 3 {
			t.Errorf("%d tries, want 3", n)
		}
	})
}
