package db

import (
	"context"
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
