package upload_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
)

// until waits for a condition.
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
		w.LeaseTTL = 3 * time.Second
		e := w.Start()
		epoch := func(id file.ID) (int64, bool) {
			u, err := w.Rows.UploadRow(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return u.Epoch, u.Held
		}

		// Another process takes the lease away: the holder notices, and is asked to end.
		asked := make(chan struct{}, 10)
		id := uploadtest.ID(w.Create(10))
		s, err := e.Take(t.Context(), id, func() { asked <- struct{}{} })
		if err != nil || s.Upload().Epoch != 1 {
			t.Fatal(err)
		}
		if _, err := w.Raw.Exec("update uploads set lease_epoch = 2, lease_holder = 'other', lease_until = lease_until + " +
			"50000"); err != nil {
			t.Fatal(err)
		}
		until(t, "the holder learns that its lease is lost", func() bool { return s.Lost() != nil })
		if err := s.Lost(); !errors.Is(err, file.ErrConflict) {
			t.Error(err)
		}
		<-asked
		s.Close()
		if n, held := epoch(id); n != 2 || !held {
			t.Error("the loser gave the winner's lease away")
		}

		// A lease is held for many times its TTL, by renewals.
		id = uploadtest.ID(w.Create(10))
		if s, err = e.Take(t.Context(), id, nil); err != nil {
			t.Fatal(err)
		}
		// A lease whose taking was never answered is not renewed forever together with the others.
		stray := uploadtest.ID(w.Create(10))
		if u, err := w.Rows.TakeLease(t.Context(), stray, e.Holder(), w.LeaseTTL); u == nil || err != nil {
			t.Fatal(u, err)
		}
		until(t, "the stray lease is given back", func() bool { _, held := epoch(stray); return !held })
		if n, held := epoch(id); n != 1 || !held || s.Lost() != nil {
			t.Error("the lease in use was lost", n, held)
		}
		s.Close()
		if _, held := epoch(id); held {
			t.Error("the lease was not given back")
		}
		until(t, "nobody renews nothing", func() bool {
			_, renewing := e.Leases()
			return !renewing
		})
	})
}

// If the database does not answer because another process has locked it, that is neither a locked upload nor a
// conflict.
func TestLeasesOfALockedDatabase(t *testing.T) {
	worlds(t, func(w *world) {
		w.LeaseTTL = 3 * time.Second
		e := w.Start()
		held, other := uploadtest.ID(w.Create(10)), uploadtest.ID(w.Create(10))
		asked := make(chan struct{}, 10)
		s, err := e.Take(t.Context(), held, func() { asked <- struct{}{} })
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		unlock := w.lockDatabase()
		defer unlock()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := e.Take(ctx, other, nil); !errors.Is(err, file.ErrUnavailable) || errors.Is(err, file.ErrLocked) {
			t.Errorf("a lease that nobody has: %v", err)
		}
		until(t, "the lease is given up, since it can't be kept", func() bool { return s.Lost() != nil })
		if err := s.Lost(); !errors.Is(err, file.ErrUnavailable) || errors.Is(err, file.ErrConflict) {
			t.Errorf("a lease that could not be renewed: %v", err)
		}
		<-asked
	})
}

// lockDatabase prevents others from writing.
func (w *world) lockDatabase() (unlock func()) {
	w.T.Helper()
	conn, err := w.Raw.Conn(w.T.Context())
	if err != nil {
		w.T.Fatal(err)
	}
	lock := `begin immediate`
	if w.Rows.Shared() {
		lock = `begin; lock table uploads in exclusive mode`
	}
	if _, err := conn.ExecContext(w.T.Context(), lock); err != nil {
		w.T.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if _, err := conn.ExecContext(context.Background(), `rollback`); err != nil {
			w.T.Error(err)
		}
		conn.Close()
	})
}
