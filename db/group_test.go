package db

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/file"
)

// held holds SQLite's only writing connection until all callers wait for it. So they become one group.
type held struct {
	t    *testing.T
	d    *DB
	free func() error
	all  sync.WaitGroup
	errs []*error
}

func hold(t *testing.T) *held {
	t.Helper()
	d, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "db"))
	noErr(t, err)
	t.Cleanup(func() { d.Close() })
	conn, err := d.write.Conn(t.Context())
	noErr(t, err)
	return &held{t: t, d: d, free: conn.Close}
}

// add lets a caller wait with a transaction.
func (h *held) add(ctx context.Context, fn func(*transaction) error) {
	h.t.Helper()
	into := new(error)
	h.errs = append(h.errs, into)
	before := h.waiting()
	h.all.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				*into = fmt.Errorf("panic: %v", v)
			}
		}()
		*into = h.d.tx(ctx, "test", fn)
	})
	until(h.t, func() bool { return h.waiting() == before+1 })
}

func (h *held) waiting() int {
	h.d.groups.mu.Lock()
	defer h.d.groups.mu.Unlock()
	return len(h.d.groups.waiting)
}

// release runs the group, and returns what each caller got.
func (h *held) release() (errs []error) {
	h.t.Helper()
	noErr(h.t, h.free())
	h.all.Wait()
	for _, err := range h.errs {
		errs = append(errs, *err)
	}
	return errs
}

// until waits until something is so.
func until(t *testing.T, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never was so")
		}
	}
}

// insert inserts a row of that name.
func insert(tx *transaction, name string) error {
	_, err := exec(context.Background(), tx, "insert", `insert into secrets (name, value, created) values ($1, 'x', 0)`,
		name)
	return err
}

// has reports whether another connection sees a row: whether it is committed.
func (h *held) has(name string) bool {
	var n int
	noErr(h.t, h.d.row(context.Background(), "count", `select count(*) from secrets where name = $1`, []any{name}, &n))
	return n == 1
}

// Each member of a group has the result that it would have alone.
func TestTransactionsShareACommit(t *testing.T) {
	h := hold(t)
	gone, leave := context.WithCancel(t.Context())
	together := false
	h.add(t.Context(), func(tx *transaction) error { return insert(tx, "first") })
	h.add(t.Context(), func(tx *transaction) error {
		return errors.Join(insert(tx, "refused"), file.ErrConflict)
	})
	h.add(t.Context(), func(tx *transaction) error { noErr(t, insert(tx, "panics")); panic("oh") })
	h.add(gone, func(tx *transaction) error { leave(); return insert(tx, "gone") })
	h.add(t.Context(), func(tx *transaction) error {
		together = !h.has("first") && insert(tx, "first") != nil // it is there, and not committed
		return nil
	})
	h.add(t.Context(), func(tx *transaction) error { return insert(tx, "last") })
	errs := h.release()
	if !together {
		t.Error("the first was committed alone")
	}
	if errs[0] != nil || !errors.Is(errs[1], file.ErrConflict) || errs[2] == nil || errs[2].Error() != "panic: oh" ||
		!errors.Is(errs[3], context.Canceled) || errs[4] != nil || errs[5] != nil {
		t.Errorf("%q", errs)
	}
	for name, want := range map[string]bool{"first": true, "refused": false, "panics": false, "gone": false,
		"last": true} {
		if h.has(name) != want {
			t.Errorf("%s: committed is %v", name, !want)
		}
	}
}

// A caller that leaves while it waits stops nobody.
func TestCallerLeavesItsGroup(t *testing.T) {
	h := hold(t)
	gone, leave := context.WithCancel(t.Context())
	var ran atomic.Bool
	h.add(gone, func(*transaction) error { ran.Store(true); return nil }) // leads
	h.add(gone, func(*transaction) error { ran.Store(true); return nil })
	h.add(t.Context(), func(tx *transaction) error { return insert(tx, "stays") })
	leave()
	until(t, func() bool { return h.waiting() == 1 })
	errs := h.release()
	if !errors.Is(errs[0], context.Canceled) || !errors.Is(errs[1], context.Canceled) || errs[2] != nil || ran.Load() {
		t.Errorf("%q", errs)
	}
	if !h.has("stays") {
		t.Error("it was not committed")
	}
}

// If SQL fails for one, the others are committed nevertheless.
func TestGroupWhoseSQLFails(t *testing.T) {
	h := hold(t)
	h.add(t.Context(), func(tx *transaction) error { return insert(tx, "before") })
	h.add(t.Context(), func(tx *transaction) error {
		noErr(t, insert(tx, "fails"))
		_, err := exec(t.Context(), tx, "roll back",
			`insert or rollback into secrets (name, value, created) values ('fails', 'x', 0)`)
		return err
	})
	h.add(t.Context(), func(tx *transaction) error { return insert(tx, "after") })
	errs := h.release()
	if errs[0] != nil || !errors.Is(errs[1], file.ErrDatabase) || errs[2] != nil {
		t.Errorf("%q", errs)
	}
	if !h.has("before") || h.has("fails") || !h.has("after") {
		t.Error("the wrong ones are committed")
	}
}

// If the commit fails, nobody is told that it was done, and the next transaction works.
func TestGroupThatIsNotCommitted(t *testing.T) {
	h := hold(t)
	h.add(t.Context(), func(tx *transaction) error { return insert(tx, "one") })
	h.add(t.Context(), func(tx *transaction) error {
		_, err := exec(t.Context(), tx, "defer", `pragma defer_foreign_keys = on`)
		if err == nil {
			_, err = exec(t.Context(), tx, "add part",
				`insert into upload_tails (upload_id, "offset", size, object_key) values ('none', 0, 1, 'k')`)
		}
		return err
	})
	for i, err := range h.release() {
		if !errors.Is(err, errCommit) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if h.has("one") {
		t.Error("it is committed")
	}
	noErr(t, h.d.tx(t.Context(), "test", func(tx *transaction) error { return insert(tx, "one") }))
}

// What 16 callers need for the two transactions of a small file, on this machine's disk (TMPDIR).
func BenchmarkSmallFiles(b *testing.B) {
	d, err := OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "db"))
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	b.SetParallelism(16)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			u := newUpload()
			u.Sources, u.Epoch = nil, 1
			err := d.CreateUpload(b.Context(), u, "holder", time.Minute)
			if err == nil {
				was := u.Fence()
				u.State = file.Recorded
				err = d.Record(b.Context(), was, &u, file.Record{ID: u.ID, AccountID: u.Creator.AccountID, Location: u.Location})
			}
			if err != nil {
				b.Error(err)
			}
		}
	})
}

// A member that panics in a group whose SQL fails has no caller any more when it would run alone: then it is not run.
func TestCallerLeavesAfterAPanic(t *testing.T) {
	h := hold(t)
	gone, leave := context.WithCancel(t.Context())
	h.add(t.Context(), func(tx *transaction) error { return insert(tx, "first") })
	h.add(gone, func(*transaction) error { panic("oh") })
	h.add(t.Context(), func(tx *transaction) error {
		leave()
		_, err := exec(context.Background(), tx, "roll back",
			`insert or rollback into secrets (name, value, created) values ('first', 'x', 0)`)
		return err
	})
	errs := h.release()
	if errs[0] != nil || !errors.Is(errs[1], context.Canceled) || !errors.Is(errs[2], file.ErrDatabase) {
		t.Errorf("%q", errs)
	}
}
