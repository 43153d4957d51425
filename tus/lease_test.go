package tus

import (
	"context"
	"errors"
	"testing"
	"time"

	"holdfast/file"
)

// until waits until it is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within a minute: " + what)
		}
	}
}

func TestLeases(t *testing.T) {
	worlds(t, func(w *world) {
		w.leaseTTL = 300 * time.Millisecond
		e := w.start(newPlan(none, 0))
		epoch := func(id file.ID) (int64, bool) {
			u, err := w.rows.UploadRow(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return u.Epoch, u.Held
		}

		// Somebody takes it away: the holder learns it, and is asked to end.
		asked := make(chan struct{}, 10)
		id := idOf(w.create(10))
		l, u, err := e.leases.take(t.Context(), id, func() { asked <- struct{}{} })
		if err != nil || u.Epoch != 1 {
			t.Fatal(u, err)
		}
		if _, err := w.raw.Exec("update uploads set lease_epoch = 2, lease_holder = 'other', lease_until = lease_until + 3600000"); err != nil {
			t.Fatal(err)
		}
		<-l.ctx.Done()
		if err := context.Cause(l.ctx); !errors.Is(err, file.ErrConflict) {
			t.Error(err)
		}
		<-asked
		l.give()
		if n, held := epoch(id); n != 2 || !held {
			t.Error("the loser gave the winner's lease away")
		}

		// Held for many times its time to live, by renewal.
		id = idOf(w.create(10))
		if l, _, err = e.leases.take(t.Context(), id, nil); err != nil {
			t.Fatal(err)
		}
		// One whose taking we never heard of is not renewed for ever with it.
		stray := idOf(w.create(10))
		if u, err := w.rows.TakeLease(t.Context(), stray, e.leases.holder, w.leaseTTL); u == nil || err != nil {
			t.Fatal(u, err)
		}
		until(t, "the stray lease is given back", func() bool { _, held := epoch(stray); return !held })
		if n, held := epoch(id); n != 1 || !held || l.ctx.Err() != nil {
			t.Error("the lease in use was lost", n, held)
		}
		l.give()
		if _, held := epoch(id); held {
			t.Error("the lease was not given back")
		}
		until(t, "nobody renews nothing", func() bool {
			e.leases.mu.Lock()
			defer e.leases.mu.Unlock()
			return !e.leases.renewing
		})
	})
}
