package db

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/file"
)

// keys writes uploads of one identity under keys, and looks them up.
type keys struct {
	*testing.T
	*DB
}

func (k keys) create(u file.Upload, key string, keep time.Duration) error {
	u.TTL = 0
	return k.CreateKeyedUpload(k.Context(), u, "me", time.Minute, key, keep)
}

func (k keys) find(key string) *file.Upload {
	k.Helper()
	u, err := k.Keyed(k.Context(), newUpload().Creator, key)
	noErr(k.T, err)
	return u
}

func (k keys) isFree(key string) {
	k.Helper()
	_, err := k.Keyed(k.Context(), newUpload().Creator, key)
	wantErr(k.T, err, file.ErrNotFound)
}

func TestKeys(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		k := keys{t, d}
		first := newUpload()
		noErr(t, k.create(first, "k", time.Hour))
		u := k.find("k")
		if u.ID != first.ID || !u.Held {
			t.Fatalf("%+v", u)
		}
		wantErr(t, k.create(newUpload(), "k", time.Hour), file.ErrInFlight)
		k.isFree("other")
		other := first.Creator
		other.UserID++
		_, err := d.Keyed(t.Context(), other, "k")
		wantErr(t, err, file.ErrNotFound)

		// The upload fails: the key is free, and another upload may take it.
		noErr(t, d.DeleteUpload(t.Context(), u.Fence(), ""))
		k.isFree("k")
		second := newUpload()
		noErr(t, k.create(second, "k", time.Hour))

		// The upload's process dies: the same.
		noErr(t, d.ReleaseLease(t.Context(), second.ID, k.find("k").Epoch, true))
		third := newUpload()
		noErr(t, k.create(third, "k", time.Hour))

		// The upload becomes a file: it keeps the key.
		u = k.find("k")
		was := u.Fence()
		u.State, u.Offset = file.Recorded, u.Size
		noErr(t, d.Record(t.Context(), was, u, file.Record{ID: u.ID, Name: "n", Type: "t", Size: u.Size, UserID: 3,
			AccountID: 4}))
		wantErr(t, k.create(newUpload(), "k", time.Hour), file.ErrInFlight)
		if u = k.find("k"); u.ID != third.ID || u.State != file.Recorded {
			t.Fatalf("%+v", u)
		}
	})
}

// A key that has expired is free, and its row is removed.
func TestExpiredKeys(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		k := keys{t, d}
		noErr(t, k.create(newUpload(), "long", time.Hour))
		noErr(t, k.create(newUpload(), "short", 0))
		time.Sleep(2 * time.Millisecond)
		k.isFree("short")
		noErr(t, k.create(newUpload(), "short", 0))
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
