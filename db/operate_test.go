package db

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/file"
)

// foreign inserts a row as another program does.
func foreign(t *testing.T, d *DB, id string, account int64) {
	t.Helper()
	_, err := d.exec(t.Context(), "test",
		`insert into files (file_id, size, content_type, filename, account_id) values ($1, 0, 'text/plain', 'f', $2)`, id,
		account)
	noErr(t, err)
}

// An account's files are listed by the bytes of their ids, as S3 lists keys.
func TestInventory(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		ids := []string{"A", "B", "_", "a", "a b", "a-b", "b", "ä", "日"}
		for i := range ids {
			foreign(t, d, ids[(i*4)%len(ids)], 3)
		}
		foreign(t, d, "other", 12)
		u := newUpload()
		noErr(t, d.CreateUpload(ctx, u, "", 0))
		var got []string
		for after := file.ID(""); ; {
			page, err := d.AccountFiles(ctx, 3, after, 2)
			noErr(t, err)
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				got, after = append(got, string(r.ID)), r.ID
			}
		}
		if diff := cmp.Diff(ids, got); diff != "" {
			t.Error(diff)
		}
		accounts, err := d.Accounts(ctx, 3, 10)
		noErr(t, err)
		if diff := cmp.Diff([]int64{4, 12}, accounts); diff != "" {
			t.Error(diff)
		}
		if open, err := d.UnfinishedUploads(ctx, 4, "", 10); err != nil || len(open) != 0 {
			t.Errorf("it has no bytes yet: %v %v", open, err)
		}
		commit(t, d, take(t, d, u.ID), file.Progress{Offset: 10, Tails: []file.Tail{{Size: 10, Key: "t"}}})
		if open, err := d.UnfinishedUploads(ctx, 4, "", 10); err != nil || len(open) != 1 || open[0] != u.ID {
			t.Errorf("%v %v", open, err)
		}
	})
}

func TestChorePlace(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		place := func(want string) {
			t.Helper()
			if p, err := d.ChorePlace(ctx, "c"); err != nil || p != want {
				t.Errorf("%q %v, want %q", p, err, want)
			}
		}
		place("")
		wantErr(t, d.PlaceChore(ctx, "c", "x", "1", time.Minute), file.ErrConflict)
		mine, err := d.TakeChore(ctx, "c", "x", time.Minute)
		noErr(t, err)
		if !mine {
			t.Error("the chore nobody has could not be taken")
		}
		noErr(t, d.PlaceChore(ctx, "c", "x", "1", 0))
		place("1")
		for mine = false; !mine; { // until the clock has advanced
			mine, err = d.TakeChore(ctx, "c", "y", time.Minute)
			noErr(t, err)
		}
		place("1")
		wantErr(t, d.PlaceChore(ctx, "c", "x", "2", time.Minute), file.ErrConflict)
		if d.Shared() {
			return
		}
		noErr(t, d.DropLeases(ctx)) // as at the start of the next process
		if mine, err = d.TakeChore(ctx, "c", "z", time.Minute); err != nil || !mine {
			t.Errorf("a dead process still has it: %v %v", mine, err)
		}
		place("1")
	})
}

func TestImports(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		begin := func(source string, account int64, id, as file.ID, done bool) {
			t.Helper()
			if got, d, err := d.BeginImport(ctx, source, account, id); err != nil || got != as || d != done {
				t.Errorf("%s %v %v", got, d, err)
			}
		}
		begin("s", 1, "one", "one", false)
		begin("s", 1, "other", "one", false) // it keeps its first id
		_, _, err := d.BeginImport(ctx, "s2", 1, "one")
		wantErr(t, err, file.ErrConflict)
		begin("s", 2, "two", "two", false)
		importing := func(id file.ID, want bool) {
			t.Helper()
			if got, err := d.Importing(ctx, id); err != nil || got != want {
				t.Errorf("%s: %v %v", id, got, err)
			}
		}
		importing("one", true)
		importing("none", false)
		noErr(t, d.FailImport(ctx, "s", 1, "why \x00 \xff"))
		begin("s", 1, "one", "one", false)
		r := file.Record{ID: "one", AccountID: 1, Size: 7, Name: "n", Type: "t", ETag: "e", CreatedAt: time.Now(),
			Location: file.Location{Bucket: "b", Key: "one"}}
		noErr(t, d.FinishImport(ctx, "s", r))
		importing("one", false)
		begin("s", 1, "one", "one", true)
		noErr(t, d.FailImport(ctx, "s", 1, "too late"))
		begin("s", 1, "one", "one", true)
		wantErr(t, d.FinishImport(ctx, "s", r), file.ErrConflict) // the file exists

		// A row of another program is completed, unless it belongs to another account.
		foreign(t, d, "two", 2)
		r.ID, r.AccountID = "two", 3
		wantErr(t, d.FinishImport(ctx, "s", r), file.ErrConflict)
		r.AccountID, r.SHA256 = 2, make([]byte, 32)
		noErr(t, d.FinishImport(ctx, "s", r))
		uses(t, d, 1, 7, 1)
		uses(t, d, 2, 7, 1)
		got, err := d.Imported(ctx, []string{"s", "s2", "s3"})
		noErr(t, err)
		if len(got) != 1 || got["s"] == "" {
			t.Error(got)
		}
		known, err := d.Known(ctx, []string{"one", "none", "two"})
		noErr(t, err)
		if diff := cmp.Diff(map[string]file.ID{"one": "one", "two": "two"}, known); diff != "" {
			t.Error(diff)
		}

		foreign(t, d, "three", 2)
		n, err := d.CountUnhealed(ctx)
		records, err2 := d.Unhealed(ctx, "one", 10)
		if err != nil || err2 != nil || n != 2 || len(records) != 1 || records[0].ID != "three" { // "one" has no SHA-256 here
			t.Error(n, records, err, err2)
		}
	})
}

// A source whose file was deleted names no file. It is begun again only when nothing of the first import is left to
// be removed.
func TestDeletedSince(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx, r := t.Context(), file.Record{ID: "one", AccountID: 7, CreatedAt: time.Now(), ETag: "t"}
		deleted := func(want bool) {
			t.Helper()
			got, err := d.DeletedSince(ctx, "one")
			noErr(t, err)
			there, err := d.Imported(ctx, []string{"s"})
			noErr(t, err)
			if got != want || (len(there) > 0) == want {
				t.Errorf("deleted: %v, want %v; imported: %v", got, want, there)
			}
		}
		_, _, err := d.BeginImport(ctx, "s", 7, "one")
		noErr(t, err)
		noErr(t, d.FinishImport(ctx, "s", r))
		deleted(false)
		wantErr(t, d.RepeatImport(ctx, "s", 7, "one"), file.ErrConflict) // it is a file
		noErr(t, d.DeleteFile(ctx, r))
		deleted(true)
		wantErr(t, d.RepeatImport(ctx, "s", 7, "one"), file.ErrConflict) // its object may be there
		deleted(true)
		noErr(t, d.ForgetUpload(ctx, "one"))
		noErr(t, d.RepeatImport(ctx, "s", 7, "one"))
		_, done, err := d.BeginImport(ctx, "s", 7, "one")
		noErr(t, err)
		if done {
			t.Error("it is done before it was begun")
		}
		noErr(t, d.FinishImport(ctx, "s", r))
		deleted(false)
		if _, err := d.UploadRow(ctx, "one"); !isNotFound(err) {
			t.Errorf("what would remove its object: %v", err)
		}
	})
}

// dueEvents are the events to be delivered now.
func dueEvents(t *testing.T, d *DB) []file.Event {
	t.Helper()
	events, err := d.DueEvents(t.Context(), 10)
	noErr(t, err)
	return events
}

// Events are stored if they are delivered somewhere, one of each kind for a file, and in order.
func TestEvents(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		record := func() file.Record {
			u := newUpload()
			u.Sources = nil
			l := leased(t, d, u)
			r := file.Record{ID: u.ID, Name: "n", Type: "t", Size: 100, UserID: 3, AccountID: 4, CreatedAt: time.Now(),
				Location: u.Location, ETag: "e", SHA256: []byte{1}}
			noErr(t, d.Record(ctx, l.Fence(), l, r))
			return r
		}
		record()
		if e := dueEvents(t, d); len(e) != 0 {
			t.Errorf("stored without a receiver: %v", e)
		}
		d.KeepEvents()
		r := record()
		wantErr(t, d.DeleteFile(ctx, file.Record{ID: "none"}), file.ErrNotFound)
		noErr(t, d.DeleteFile(ctx, r))
		e := dueEvents(t, d)
		if len(e) != 1 || e[0].Kind != file.EventCreated || e[0].File != r.ID {
			t.Fatalf("%+v", e)
		}
		noErr(t, d.EventFailed(ctx, e[0], "why", time.Hour, false))
		if e := dueEvents(t, d); len(e) != 0 {
			t.Errorf("the deletion does not wait for the creation: %v", e)
		}
		noErr(t, d.EventFailed(ctx, e[0], "why", 0, true))
		if e := dueEvents(t, d); len(e) != 1 || e[0].Kind != file.EventDeleted {
			t.Errorf("an event that was given up holds the deletion up: %v", e)
		}
		dead, err := d.Events(ctx, true, 10)
		if err != nil || len(dead) != 1 || dead[0].Tries != 2 || dead[0].Reason != "why" {
			t.Errorf("%+v %v", dead, err)
		}
		if n, err := d.ResendEvents(ctx, "other"); n != 0 || err != nil {
			t.Error(n, err)
		}
		if n, err := d.ResendEvents(ctx, ""); n != 1 || err != nil {
			t.Error(n, err)
		}
		for _, kind := range []file.EventKind{file.EventCreated, file.EventDeleted} {
			e := dueEvents(t, d)
			if len(e) != 1 || e[0].Kind != kind {
				t.Fatalf("%+v, want %s", e, kind)
			}
			noErr(t, d.EventDelivered(ctx, e[0]))
		}
	})
}

// An upload that expired is an event; one that its client ended is none.
func TestEventsOfUploads(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		d.KeepEvents()
		u := newUpload()
		u.TTL, u.Sources = time.Millisecond, nil
		ended, expired := leased(t, d, newUpload()), leased(t, d, u)
		noErr(t, d.DeleteUpload(t.Context(), ended.Fence(), ""))
		for !reload(t, d, expired.ID).Expired {
		}
		noErr(t, d.DeleteUpload(t.Context(), expired.Fence(), ""))
		if e := dueEvents(t, d); len(e) != 1 || e[0].Kind != file.EventExpired || e[0].File != expired.ID {
			t.Errorf("%+v", e)
		}
	})
}
