package db

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/file"
	"holdfast/internal/test/pgtest"
)

// The last commit of a request releases the lease; an upload that is created with a lease has it.
func TestLeaseAtBirthAndAtTheEnd(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		u := newUpload()
		noErr(t, d.CreateUpload(ctx, u, "me", time.Minute))
		if other, err := d.TakeLease(ctx, u.ID, "other", time.Minute); err != nil || other != nil {
			t.Fatal(other, err)
		}
		held := reload(t, d, u.ID)
		if !held.Held || held.Epoch != 1 {
			t.Fatalf("%+v", held)
		}
		free := commit(t, d, held, file.Progress{Offset: 10, Tails: []file.Tail{{Size: 10, Key: "t"}}, Release: true})
		if free.Held {
			t.Error("the lease was not given back")
		}
		renewed, err := d.RenewLeases(ctx, "me", time.Minute)
		if err != nil || len(renewed) != 0 || reload(t, d, u.ID).Held {
			t.Error("a renewal took back what was given away", renewed, err)
		}
		if u := take(t, d, u.ID); u.Epoch != 2 || u.TailSize() != 10 {
			t.Errorf("%+v", u)
		}
	})
}

func TestChore(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		take := func(holder string, ttl time.Duration) bool {
			mine, err := d.TakeChore(t.Context(), "sweep", holder, ttl)
			noErr(t, err)
			return mine
		}
		if !take("a", time.Minute) || !take("a", time.Millisecond) {
			t.Error("nobody else had it")
		}
		for !take("b", time.Minute) { // until a's lease has expired
		}
		if take("a", time.Minute) {
			t.Error("two have it")
		}
	})
}

// A writer that lost its lease can change nothing.
func TestStaleWriter(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		stale := leased(t, d, newUpload())
		noErr(t, d.ReleaseLease(ctx, stale.ID, stale.Epoch, true))
		take(t, d, stale.ID)
		before := reload(t, d, stale.ID)
		for name, try := range map[string]func() error{
			"take part":     func() error { _, err := d.TakePart(ctx, stale.Fence(), 50); return err },
			"set multipart": func() error { return d.SetMultipart(ctx, stale.Fence(), "key", file.Multipart{ID: "mp"}, 1) },
			"commit part": func() error {
				_, err := d.Commit(ctx, stale.Fence(), file.Progress{Offset: 1, Parts: []file.Part{{Number: 1, Size: 1}}})
				return err
			},
			"commit tail": func() error {
				_, err := d.Commit(ctx, stale.Fence(), file.Progress{Offset: 1, Tails: []file.Tail{{Size: 1, Key: "k"}}})
				return err
			},
			"commit whole": func() error {
				_, err := d.Commit(ctx, stale.Fence(), file.Progress{Offset: 100, Whole: true, ETag: "e"})
				return err
			},
			"claim":   func() error { return d.SetClaim(ctx, stale.Fence(), []byte{1}) },
			"length":  func() error { return d.DeclareLength(ctx, stale.Fence(), 5) },
			"advance": func() error { return d.Advance(ctx, stale.Fence(), file.Completing, "") },
			"record":  func() error { return d.Record(ctx, stale.Fence(), stale, file.Record{ID: stale.ID}) },
			"delete":  func() error { return d.DeleteUpload(ctx, stale.Fence(), "") },
		} {
			if err := try(); !errors.Is(err, file.ErrConflict) {
				t.Errorf("%s: %v, want a conflict", name, err)
			}
		}
		noErr(t, d.ReleaseLease(ctx, stale.ID, stale.Epoch, true))
		if diff := cmp.Diff(before, reload(t, d, stale.ID)); diff != "" {
			t.Error(diff)
		}
		if u, _ := d.TakeLease(ctx, stale.ID, "third", time.Minute); u != nil {
			t.Error("the stale holder gave the new one's lease away")
		}
		if _, err := d.File(ctx, stale.ID); !errors.Is(err, file.ErrNotFound) {
			t.Error("a record was written")
		}
	})
}

func TestLeaseRunsOut(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		u := newUpload()
		noErr(t, d.CreateUpload(ctx, u, "", 0))
		if u, err := d.TakeLease(ctx, u.ID, "dead", time.Millisecond); u == nil || err != nil {
			t.Fatal(u, err)
		}
		var next *file.Upload
		for next == nil { // until the database's clock has advanced
			var err error
			next, err = d.TakeLease(ctx, u.ID, "next", time.Minute)
			noErr(t, err)
		}
		if next.Epoch != 2 || !next.Held {
			t.Errorf("%+v", next)
		}
		if u, err := d.TakeLease(ctx, u.ID, "third", time.Minute); u != nil || err != nil {
			t.Error(u, err)
		}
		_, err := d.TakeLease(ctx, "unknown", "x", time.Minute)
		wantErr(t, err, file.ErrNotFound)
	})
}

// A process renews all its leases at once, and learns which ones it has lost.
func TestRenewLeases(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		mine := func(holder string, ttl time.Duration) *file.Upload {
			u := newUpload()
			noErr(t, d.CreateUpload(ctx, u, holder, ttl))
			return &u
		}
		kept, given, lost := mine("me", time.Second), mine("me", time.Minute), mine("me", time.Millisecond)
		other := mine("other", time.Millisecond)
		noErr(t, d.ReleaseLease(ctx, given.ID, 1, true))
		for reload(t, d, lost.ID).Held || reload(t, d, other.ID).Held { // until the database's clock has advanced
		}
		if u, err := d.TakeLease(ctx, lost.ID, "other", time.Minute); u == nil || err != nil {
			t.Fatal(u, err)
		}
		held, err := d.RenewLeases(ctx, "me", time.Minute)
		noErr(t, err)
		if diff := cmp.Diff(map[file.ID]int64{kept.ID: 1}, held); diff != "" {
			t.Error(diff)
		}
		if reload(t, d, other.ID).Held {
			t.Error("another one's lease was renewed")
		}
	})
}

func TestOneOfManyGetsTheLease(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		u := newUpload()
		noErr(t, d.CreateUpload(t.Context(), u, "", 0))
		var wg sync.WaitGroup
		won := make(chan int64, 20)
		for range 20 {
			wg.Go(func() {
				if u, err := d.TakeLease(t.Context(), u.ID, "x", time.Minute); err != nil {
					t.Error(err)
				} else if u != nil {
					won <- u.Epoch
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Errorf("%d holders", len(won))
		}
	})
}

func TestListen(t *testing.T) {
	d, err := OpenPostgres(t.Context(), pgtest.New(t))
	noErr(t, err)
	defer d.Close()
	ctx, cancel := context.WithCancel(t.Context())
	asked, done := make(chan file.ID, 100), make(chan struct{})
	go func() {
		defer close(done)
		d.Listen(ctx, func(id file.ID) { asked <- id }, func(err error) { t.Error(err) })
	}()
	for got := false; !got; { // until Listen has connected
		noErr(t, d.RequestRelease(ctx, "the-id"))
		select {
		case id := <-asked:
			got = id == "the-id"
		case <-time.After(20 * time.Millisecond):
		}
	}
	cancel()
	<-done
}

// The first writer may write to the object's key, and each next one as long as all before it have settled.
func TestSettledLeases(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		u := leased(t, d, newUpload())
		if !u.Alone() {
			t.Fatal("the first one is not alone")
		}
		noErr(t, d.ReleaseLease(ctx, u.ID, u.Epoch, true))
		u = take(t, d, u.ID)
		if !u.Alone() {
			t.Error("who was before has settled, and this one is not alone")
		}
		u = commit(t, d, u, file.Progress{Offset: 10, Tails: []file.Tail{{Size: 10, Key: "t"}}, Release: true})
		if u = take(t, d, u.ID); !u.Alone() {
			t.Error("the last commit has given the lease back, and this one is not alone")
		}
		noErr(t, d.ReleaseLease(ctx, u.ID, u.Epoch, false))
		for range 2 { // no later one is alone, even if it settles
			if u = take(t, d, u.ID); u.Alone() {
				t.Error("alone behind one that may have a write under way")
			}
			noErr(t, d.ReleaseLease(ctx, u.ID, u.Epoch, true))
		}
		noErr(t, d.ReleaseLease(ctx, u.ID, u.Epoch-1, true)) // a holder that has lost the lease changes nothing
		if u = reload(t, d, u.ID); u.Settled != 2 {
			t.Errorf("settled up to %d, want 2", u.Settled)
		}
	})
}

// A file is checked once more later if something may have been written beside its object; other files are not.
func TestUntidy(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		record := func(settled bool) file.ID {
			u := leased(t, d, newUpload())
			noErr(t, d.ReleaseLease(ctx, u.ID, u.Epoch, settled))
			u = take(t, d, u.ID)
			was := u.Fence()
			u.Offset, u.State, u.ETag, u.Location.Key = u.Size, file.Stored, "e", "objects/"+string(u.ID)+"/2"
			noErr(t, d.Record(ctx, was, u, file.Record{ID: u.ID, Size: u.Size, AccountID: 1, Location: u.Location, ETag: "e"}))
			if now, err := d.UploadRow(ctx, u.ID); err != nil || now.Location != u.Location {
				t.Errorf("the row says %v, the record %v (%v)", now.Location, u.Location, err)
			}
			return u.ID
		}
		record(true)
		beside := record(false)
		if ids, err := d.Untidy(ctx, "", 10); err != nil || len(ids) != 0 {
			t.Errorf("something may still land, %v are to be looked through (%v)", ids, err)
		}
		_, err := d.exec(ctx, "test", `update uploads set tidy_at = tidy_at - $1`, lateWrites.Milliseconds()+1)
		noErr(t, err)
		if ids, err := d.Untidy(ctx, "", 10); err != nil || len(ids) != 1 || ids[0] != beside {
			t.Errorf("%v are to be looked through, want %v (%v)", ids, beside, err)
		}
		noErr(t, d.Tidied(ctx, beside))
		if ids, err := d.Untidy(ctx, "", 10); err != nil || len(ids) != 0 {
			t.Errorf("%v are looked through again (%v)", ids, err)
		}
	})
}

// A holder commits each byte once: a commit from an offset other than the row's changes nothing.
func TestStaleOffset(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		u := leased(t, d, newUpload())
		stale := u.Fence()
		commit(t, d, u, file.Progress{Offset: 10, Tails: []file.Tail{{Size: 10, Key: "t"}}})
		before := reload(t, d, u.ID)
		_, err := d.Commit(t.Context(), stale, file.Progress{Offset: 5, Tails: []file.Tail{{Size: 5, Key: "again"}}})
		wantErr(t, err, file.ErrConflict)
		wantErr(t, d.Advance(t.Context(), stale, file.Completing, ""), file.ErrConflict)
		if diff := cmp.Diff(before, reload(t, d, u.ID)); diff != "" {
			t.Error(diff)
		}
	})
}

// The database's clock is set back by a day while somebody holds a lease and a chore. If they are dead, nobody waits a
// day for them; if they live, a renewal takes the end back to where it belongs, or another's lease fences them.
func TestClockSetBack(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		setBack := func() {
			t.Helper()
			for _, change := range []string{`update uploads set lease_until = lease_until + 86400000 where lease_until > 0`,
				`update chores set until = until + 86400000`} {
				_, err := d.exec(ctx, "test", change)
				noErr(t, err)
			}
		}
		whole := newUpload()
		noErr(t, d.CreateUpload(ctx, whole, "dead", time.Minute))
		commit(t, d, reload(t, d, whole.ID), file.Progress{Offset: 100, Whole: true, ETag: "e"})
		lives := leased(t, d, newUpload())
		chore := func(holder string) bool {
			mine, err := d.TakeChore(ctx, "sweep", holder, time.Minute)
			noErr(t, err)
			return mine
		}
		if !chore("dead") {
			t.Fatal("nobody else had it")
		}
		setBack()
		renewed, err := d.RenewLeases(ctx, "test", time.Minute)
		noErr(t, err)
		if other, err := d.TakeLease(ctx, lives.ID, "other", time.Minute); err != nil || other != nil ||
			renewed[lives.ID] != lives.Epoch {
			t.Error("a lease that was renewed was given to another", other, err)
		}
		if ids, err := d.CutShort(ctx, "", 10); err != nil || !cmp.Equal(ids, []file.ID{whole.ID}) {
			t.Error("a sweep finds", ids, err)
		}
		if reload(t, d, whole.ID).Held {
			t.Error("the lease of the dead is held")
		}
		if u := take(t, d, whole.ID); u.Epoch != 2 || u.Offset != 100 {
			t.Errorf("%+v", u)
		}
		if !chore("other") || chore("dead") {
			t.Error("the chore of the dead is held")
		}
	})
}
