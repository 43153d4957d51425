package db

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/file"
)

func TestKeys(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		create := func(u file.Upload, key string, keep time.Duration) error {
			u.TTL = 0
			return d.CreateKeyedUpload(t.Context(), u, "me", time.Minute, key, keep)
		}
		owner := newUpload().Creator
		first := newUpload()
		noErr(t, create(first, "k", time.Hour))
		u, err := d.Keyed(t.Context(), owner, "k")
		noErr(t, err)
		if u.ID != first.ID || !u.Held {
			t.Fatalf("%+v", u)
		}
		wantErr(t, create(newUpload(), "k", time.Hour), file.ErrInFlight)
		_, err = d.Keyed(t.Context(), owner, "other")
		wantErr(t, err, file.ErrNotFound)
		other := owner
		other.UserID++
		_, err = d.Keyed(t.Context(), other, "k")
		wantErr(t, err, file.ErrNotFound)

		// The upload fails: the key is free, and another upload may take it.
		noErr(t, d.DeleteUpload(t.Context(), u.Fence()))
		_, err = d.Keyed(t.Context(), owner, "k")
		wantErr(t, err, file.ErrNotFound)
		second := newUpload()
		noErr(t, create(second, "k", time.Hour))

		// The upload's process dies: the same.
		u, err = d.Keyed(t.Context(), owner, "k")
		noErr(t, err)
		noErr(t, d.GiveLease(t.Context(), second.ID, u.Epoch, true))
		third := newUpload()
		noErr(t, create(third, "k", time.Hour))

		// The upload becomes a file: it keeps the key.
		u, err = d.Keyed(t.Context(), owner, "k")
		noErr(t, err)
		was := u.Fence()
		u.State, u.Offset = file.Recorded, u.Size
		noErr(t, d.Record(t.Context(), was, u, file.Record{ID: u.ID, Name: "n", Type: "t", Size: u.Size, UserID: 3,
			AccountID: 4}))
		wantErr(t, create(newUpload(), "k", time.Hour), file.ErrInFlight)
		if u, err = d.Keyed(t.Context(), owner, "k"); err != nil || u.ID != third.ID || u.State != file.Recorded {
			t.Fatalf("%+v %v", u, err)
		}

		// A key expires.
		noErr(t, create(newUpload(), "short", 0))
		time.Sleep(2 * time.Millisecond)
		_, err = d.Keyed(t.Context(), owner, "short")
		wantErr(t, err, file.ErrNotFound)
		noErr(t, create(newUpload(), "short", 0))
		time.Sleep(2 * time.Millisecond)
		noErr(t, d.DropOldKeys(t.Context()))
		var n int
		noErr(t, d.row(t.Context(), "count", `select count(*) from idempotency_keys`, nil, &n))
		if n != 1 {
			t.Errorf("%d keys are there, only one is in force", n)
		}
	})
}

func TestOneOfManyGetsTheKey(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		var got atomic.Int32
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				switch err := d.CreateKeyedUpload(t.Context(), newUpload(), "me", time.Minute, "k", time.Hour); {
				case err == nil:
					got.Add(1)
				default:
					wantErr(t, err, file.ErrInFlight)
				}
			})
		}
		wg.Wait()
		if got.Load() != 1 {
			t.Errorf("%d got it", got.Load())
		}
	})
}
