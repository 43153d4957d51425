package tus

import (
	"context"
	"errors"
	"sync"
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
		until(t, "the holder learns that its lease is lost", func() bool { return l.ctx.Err() != nil })
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

// The database does not answer, since somebody else has it: that is not a lock on the upload, nor a conflict.
func TestLeasesOfALockedDatabase(t *testing.T) {
	worlds(t, func(w *world) {
		w.leaseTTL = 300 * time.Millisecond
		e := w.start(newPlan(none, 0))
		held, other := idOf(w.create(10)), idOf(w.create(10))
		asked := make(chan struct{}, 10)
		l, _, err := e.leases.take(t.Context(), held, func() { asked <- struct{}{} })
		if err != nil {
			t.Fatal(err)
		}
		defer l.give()
		unlock := w.lockDatabase()
		defer unlock()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, _, err := e.leases.take(ctx, other, nil); !errors.Is(err, file.ErrUnavailable) || errors.Is(err, file.ErrLocked) {
			t.Errorf("a lease that nobody has: %v", err)
		}
		until(t, "the lease is given up, since it can't be kept", func() bool { return l.ctx.Err() != nil })
		if err := context.Cause(l.ctx); !errors.Is(err, file.ErrUnavailable) || errors.Is(err, file.ErrConflict) {
			t.Errorf("a lease that could not be renewed: %v", err)
		}
		<-asked
	})
}

// lockDatabase keeps others from writing.
func (w *world) lockDatabase() (unlock func()) {
	w.t.Helper()
	conn, err := w.raw.Conn(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	lock := `begin immediate`
	if w.rows.Shared() {
		lock = `begin; lock table uploads in exclusive mode`
	}
	if _, err := conn.ExecContext(w.t.Context(), lock); err != nil {
		w.t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if _, err := conn.ExecContext(context.Background(), `rollback`); err != nil {
			w.t.Error(err)
		}
		conn.Close()
	})
}
