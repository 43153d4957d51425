package db

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/file"
	"holdfast/internal/test/pgtest"
)

// each runs a test on every kind of database.
func each(t *testing.T, test func(t *testing.T, d *DB)) {
	t.Run("SQLite", func(t *testing.T) {
		d, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "a b?#.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		test(t, d)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		d, err := OpenPostgres(t.Context(), migrated.New(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		test(t, d)
	})
}

// migrated makes copies of one database that was migrated.
var migrated = pgtest.Template{Fill: func(dsn string) error {
	d, err := OpenPostgres(context.Background(), dsn)
	if err != nil {
		return err
	}
	return d.Close()
}}

func newUpload() file.Upload {
	id := file.NewID()
	return file.Upload{
		ID: id, Creator: file.Identity{Kind: file.KindUser, UserID: 3, AccountID: 4, Fingerprint: "f"},
		Location: file.Location{Bucket: "b-4",
			Key: string(id)}, Name: "näme.txt", Type: "text/plain", Metadata: "name bsOkbWU=",
		Size: 100, PartSize: 50, State: file.Open, TTL: time.Hour, Sources: []file.ID{"a", "b"}, Claim: []byte{9},
	}
}

// leased creates an upload and takes its lease.
func leased(t *testing.T, d *DB, u file.Upload) *file.Upload {
	t.Helper()
	if err := d.CreateUpload(t.Context(), u, "", 0); err != nil {
		t.Fatal(err)
	}
	return take(t, d, u.ID)
}

// take takes a lease that is free.
func take(t *testing.T, d *DB, id file.ID) *file.Upload {
	t.Helper()
	u, err := d.TakeLease(t.Context(), id, "test", time.Minute)
	if err != nil || u == nil {
		t.Fatal(u, err)
	}
	return u
}

// commit commits p and returns the upload as it is afterwards.
func commit(t *testing.T, d *DB, u *file.Upload, p file.Progress) *file.Upload {
	t.Helper()
	_, err := d.Commit(t.Context(), u.Fence(), p)
	noErr(t, err)
	return reload(t, d, u.ID)
}

func reload(t *testing.T, d *DB, id file.ID) *file.Upload {
	t.Helper()
	u, err := d.UploadRow(t.Context(), id)
	noErr(t, err)
	u.Tails, err = d.tails(t.Context(), d.sql, id)
	noErr(t, err)
	return u
}

func wantErr(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("%v, want %v", err, kind)
	}
}

func noErr(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Only expired uploads are found; every byte received extends the expiry.
func TestExpiry(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		create := func(change func(*file.Upload)) file.ID {
			u := newUpload()
			u.TTL, u.Sources = time.Millisecond, nil
			change(&u)
			noErr(t, d.CreateUpload(ctx, u, "", 0))
			return u.ID
		}
		gone := map[file.ID]bool{
			create(func(u *file.Upload) {}):                    true,
			create(func(u *file.Upload) { u.Deferred = true }): true,
			create(func(u *file.Upload) { u.Partial = true }):  true,
		}
		alive := create(func(u *file.Upload) { u.TTL = time.Hour })
		whole := create(func(u *file.Upload) {})
		commit(t, d, take(t, d, whole), file.Progress{Offset: 100, Whole: true, ETag: "e", Release: true})
		partial := create(func(u *file.Upload) { u.Partial = true })
		commit(t, d, take(t, d, partial), file.Progress{Offset: 100, Whole: true, ETag: "e", Release: true})
		gone[partial] = true
		for id := range gone { // until the database's clock has advanced
			for !reload(t, d, id).Expired {
			}
			if !reload(t, d, id).Gone() {
				t.Errorf("%s is not gone", id)
			}
		}
		ids, err := d.CutShort(ctx, "", 10)
		noErr(t, err)
		found := make(map[file.ID]bool)
		for _, id := range ids {
			found[id] = true
		}
		gone[whole] = true // not expired, but complete and without a record
		if diff := cmp.Diff(gone, found); diff != "" || reload(t, d, whole).Gone() || reload(t, d, alive).Expired {
			t.Error(diff)
		}
	})
}

func TestFinal(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		u := newUpload()
		noErr(t, d.CreateUpload(ctx, u, "", 0))
		same, err := d.Final(ctx, u.Creator, u.Sources)
		if err != nil || same.ID != u.ID {
			t.Fatal(same, err)
		}
		for _, other := range []struct {
			who     file.Identity
			sources []file.ID
		}{{file.Identity{Kind: file.KindUser, UserID: 8, AccountID: 4}, u.Sources}, {u.Creator,
			[]file.ID{"b", "a"}}, {u.Creator, []file.ID{"a"}}} {
			_, err := d.Final(ctx, other.who, other.sources)
			wantErr(t, err, file.ErrNotFound)
		}
		noErr(t, d.DeleteUpload(ctx, take(t, d, u.ID).Fence(), ""))
		_, err = d.Final(ctx, u.Creator, u.Sources)
		wantErr(t, err, file.ErrNotFound)
	})
}

func TestWholeObjectAtOnce(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		u := leased(t, d, newUpload())
		u = commit(t, d, u, file.Progress{Offset: 100, HashState: []byte{1}, Whole: true, ETag: "e"})
		if u.State != file.Stored || u.Offset != 100 || u.ETag != "e" {
			t.Fatalf("%+v", u)
		}
		ids, err := d.CutShort(t.Context(), "", 10)
		if err != nil || len(ids) != 0 {
			t.Fatalf("somebody holds it: %v %v", ids, err)
		}
		noErr(t, d.ReleaseLease(t.Context(), u.ID, u.Epoch, true))
		ids, err = d.CutShort(t.Context(), "", 10)
		if err != nil || len(ids) != 1 {
			t.Fatalf("it was cut short: %v %v", ids, err)
		}
	})
}

func TestDelete(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		u := leased(t, d, newUpload())
		u = commit(t, d, u, file.Progress{Offset: 10, Tails: []file.Tail{{Size: 10, Key: "t1"}}})
		noErr(t, d.DeleteUpload(ctx, u.Fence(), ""))
		_, err := d.TakeLease(ctx, u.ID, "x", time.Minute)
		wantErr(t, err, file.ErrNotFound)
		gone, err := d.Deleted(ctx, u.ID)
		if err != nil || len(gone.Tails) != 1 {
			t.Fatal(gone, err)
		}
		due := func(want int) {
			t.Helper()
			if ids, err := d.CutShort(ctx, "", 10); err != nil || len(ids) != want {
				t.Errorf("the sweep finds %v %v, want %d", ids, err, want)
			}
		}
		due(1)
		for range 2 {
			noErr(t, d.ForgetUpload(ctx, u.ID))
			if gone, err = d.Deleted(ctx, u.ID); err != nil || len(gone.Tails) != 0 {
				t.Fatal("what is written late leads to nothing", gone, err)
			}
			due(0)
		}
		_, err = d.exec(ctx, "", `update uploads set emptied = emptied - $2 where id = $1`, u.ID, lateWrites.Milliseconds()+1)
		noErr(t, err)
		due(1)
		_, err = d.exec(ctx, "",
			`insert into files (file_id, size, content_type, filename, user_id, account_id) values ($1, 10, 'text/plain',
				'again', 1, 7)`, u.ID)
		noErr(t, err)
		due(0)
		_, err = d.exec(ctx, "", `delete from files where file_id = $1`, u.ID)
		noErr(t, err)
		noErr(t, d.ForgetUpload(ctx, u.ID))
		_, err = d.Deleted(ctx, u.ID)
		wantErr(t, err, file.ErrNotFound)

		// ForgetUpload does not remove a live upload.
		v := leased(t, d, newUpload())
		noErr(t, d.ForgetUpload(ctx, v.ID))
		reload(t, d, v.ID)
	})
}

// If several processes start at the same time on one new database, one of them migrates it.
func TestMigrateTogether(t *testing.T) {
	path, dsn := filepath.Join(t.TempDir(), "db"), pgtest.New(t)
	for name, open := range map[string]func(context.Context) (*DB, error){
		"SQLite":     func(ctx context.Context) (*DB, error) { return OpenSQLite(ctx, path) },
		"PostgreSQL": func(ctx context.Context) (*DB, error) { return OpenPostgres(ctx, dsn) },
	} {
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					d, err := open(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					d.Close()
				})
			}
			wg.Wait()
		})
	}
}

func TestDatabaseIsGone(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		d.Close()
		_, err := d.File(t.Context(), "x")
		wantErr(t, err, file.ErrUnavailable)
		_, err = d.UploadRow(t.Context(), "x")
		wantErr(t, err, file.ErrUnavailable)
		_, err = d.Commit(t.Context(), file.Fence{}, file.Progress{})
		wantErr(t, err, file.ErrUnavailable)
	})
}
