package db

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/file"
	"holdfast/internal/pgtest"
)

// each runs a test on every kind of database there is.
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
		d, err := OpenPostgres(t.Context(), pgtest.New(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		test(t, d)
	})
}

func newUpload() file.Upload {
	id := file.NewID()
	return file.Upload{
		ID: id, Creator: file.Identity{Kind: file.KindUser, UserID: 3, AccountID: 4, Fingerprint: "f"},
		Location: file.Location{Bucket: "b-4", Key: string(id)}, Name: "näme.txt", Type: "text/plain", Metadata: "name bsOkbWU=",
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

// take takes a lease that nobody has.
func take(t *testing.T, d *DB, id file.ID) *file.Upload {
	t.Helper()
	u, err := d.TakeLease(t.Context(), id, "test", time.Minute)
	if err != nil || u == nil {
		t.Fatal(u, err)
	}
	return u
}

// commit commits p and returns the upload as it is then.
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

func TestUploadFromRowToRecord(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		in := newUpload()
		u := leased(t, d, in)
		in.Epoch, in.Held = 1, true
		if left := time.Until(u.Expires); left < 50*time.Minute || left > 70*time.Minute || u.Expired {
			t.Errorf("it expires in %s", left)
		}
		in.Expires = u.Expires
		if diff := cmp.Diff(&in, u); diff != "" {
			t.Fatal(diff)
		}

		// Two tails, put together, then parts that take their place, and a tail behind them.
		u = commit(t, d, u, file.Progress{Offset: 10, HashState: []byte{1}, Tails: []file.Tail{{Offset: 0, Size: 10, Key: "t1"}}})
		u = commit(t, d, u, file.Progress{Offset: 30, HashState: []byte{2}, Tails: []file.Tail{{Offset: 10, Size: 20, Key: "t2"}}})
		if u.TailSize() != 30 || len(u.Tails) != 2 || u.Offset != 30 || !bytes.Equal(u.HashState, []byte{2}) {
			t.Fatalf("%+v", u)
		}
		u = commit(t, d, u, file.Progress{Offset: 35, HashState: []byte{3}, Tails: []file.Tail{{Offset: 10, Size: 25, Key: "t3"}}})
		if diff := cmp.Diff([]file.Tail{{Offset: 0, Size: 10, Key: "t1"}, {Offset: 10, Size: 25, Key: "t3"}}, u.Tails); diff != "" {
			t.Fatal(diff)
		}
		n1, err := d.TakePart(ctx, u.Fence())
		noErr(t, err)
		n2, err := d.TakePart(ctx, u.Fence()) // this one failed: its number is burned
		noErr(t, err)
		n3, err := d.TakePart(ctx, u.Fence())
		noErr(t, err)
		if n1 != 1 || n2 != 2 || n3 != 3 {
			t.Fatal(n1, n2, n3)
		}
		noErr(t, d.SetMultipart(ctx, u.Fence(), "mp"))
		parts := []file.Part{{Number: 1, Offset: 0, Size: 50, ETag: "e1"}, {Number: 3, Offset: 50, Size: 40, ETag: "e3"}}
		u = commit(t, d, u, file.Progress{Offset: 100, HashState: []byte{4}, Parts: parts, Tails: []file.Tail{{Offset: 90, Size: 10, Key: "t4"}}})
		got, err := d.Parts(ctx, u.ID)
		noErr(t, err)
		if diff := cmp.Diff(parts, got); diff != "" || len(u.Tails) != 1 || u.MultipartID != "mp" || !u.Complete() {
			t.Fatalf("%s %+v", diff, u)
		}

		noErr(t, d.Advance(ctx, u.Fence(), file.Completing, ""))
		wantErr(t, d.Advance(ctx, u.Fence(), file.Completing, ""), file.ErrConflict)
		was := u.Fence()
		u = reload(t, d, u.ID)
		u.ETag = "whole"
		rec := file.Record{ID: u.ID, Name: u.Name, Type: u.Type, Size: 100, UserID: 3, AccountID: 4, CreatedAt: time.Now().UTC().Truncate(time.Microsecond),
			Location: u.Location, ETag: "whole", SHA256: bytes.Repeat([]byte{7}, 32)}
		wantErr(t, d.Record(ctx, was, u, rec), file.ErrConflict) // of the state before
		_, err = d.File(ctx, u.ID)
		wantErr(t, err, file.ErrNotFound)
		noErr(t, d.Record(ctx, u.Fence(), u, rec))
		kept, err := d.File(ctx, u.ID)
		noErr(t, err)
		if diff := cmp.Diff(rec, kept); diff != "" {
			t.Fatal(diff)
		}
		if u = reload(t, d, u.ID); u.State != file.Recorded || u.ETag != "whole" || u.Held || len(u.Tails) != 0 {
			t.Fatalf("%+v", u)
		}
	})
}

// The last commit of a request gives the lease back; who is born with a lease has it.
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

// Whoever has run out is found, and nobody else; every byte puts the end off.
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
		for id := range gone { // the database's clock goes on
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
		gone[whole] = true // not expired, but without its record
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
		}{{file.Identity{Kind: file.KindUser, UserID: 8, AccountID: 4}, u.Sources}, {u.Creator, []file.ID{"b", "a"}}, {u.Creator, []file.ID{"a"}}} {
			_, err := d.Final(ctx, other.who, other.sources)
			wantErr(t, err, file.ErrNotFound)
		}
		noErr(t, d.DeleteUpload(ctx, take(t, d, u.ID).Fence()))
		_, err = d.Final(ctx, u.Creator, u.Sources)
		wantErr(t, err, file.ErrNotFound)
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
		for !take("b", time.Minute) { // until a's time is over
		}
		if take("a", time.Minute) {
			t.Error("two have it")
		}
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
		noErr(t, d.GiveLease(t.Context(), u.ID, u.Epoch))
		ids, err = d.CutShort(t.Context(), "", 10)
		if err != nil || len(ids) != 1 {
			t.Fatalf("it was cut short: %v %v", ids, err)
		}
	})
}

// A writer that lost its lease changes nothing, whatever it believes.
func TestStaleWriter(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		stale := leased(t, d, newUpload())
		noErr(t, d.GiveLease(ctx, stale.ID, stale.Epoch))
		take(t, d, stale.ID)
		before := reload(t, d, stale.ID)
		for name, try := range map[string]func() error{
			"take part":     func() error { _, err := d.TakePart(ctx, stale.Fence()); return err },
			"set multipart": func() error { return d.SetMultipart(ctx, stale.Fence(), "mp") },
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
			"delete":  func() error { return d.DeleteUpload(ctx, stale.Fence()) },
		} {
			if err := try(); !errors.Is(err, file.ErrConflict) {
				t.Errorf("%s: %v, want a conflict", name, err)
			}
		}
		noErr(t, d.GiveLease(ctx, stale.ID, stale.Epoch))
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
		for next == nil { // the database's clock goes on
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

// A process renews all that it holds at once, and learns what it has lost.
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
		noErr(t, d.GiveLease(ctx, given.ID, 1))
		for reload(t, d, lost.ID).Held || reload(t, d, other.ID).Held { // the database's clock goes on
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

func TestDelete(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		u := leased(t, d, newUpload())
		u = commit(t, d, u, file.Progress{Offset: 10, Tails: []file.Tail{{Size: 10, Key: "t1"}}})
		noErr(t, d.DeleteUpload(ctx, u.Fence()))
		_, err := d.TakeLease(ctx, u.ID, "x", time.Minute)
		wantErr(t, err, file.ErrNotFound)
		gone, err := d.Deleted(ctx, u.ID)
		if err != nil || len(gone.Tails) != 1 {
			t.Fatal(gone, err)
		}
		noErr(t, d.ForgetUpload(ctx, u.ID))
		_, err = d.Deleted(ctx, u.ID)
		wantErr(t, err, file.ErrNotFound)

		// A live upload is not forgotten.
		v := leased(t, d, newUpload())
		noErr(t, d.ForgetUpload(ctx, v.ID))
		reload(t, d, v.ID)
	})
}

func TestFiles(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		// As Django's migration tool writes them: seven columns only.
		insert := `insert into files (file_id, size, content_type, filename, user_id, account_id) values ($1, 0, 'text/plain', 'old', $2, 7)`
		for _, id := range []string{"old-1", "old-2", "old-3"} {
			if _, err := d.sql.ExecContext(ctx, insert, id, 1); err != nil {
				t.Fatal(err)
			}
		}
		_, err := d.sql.ExecContext(ctx, insert, "nobody's", sql.NullInt64{})
		noErr(t, err)
		r, err := d.File(ctx, "old-2")
		if err != nil || r.CreatedAt.IsZero() || time.Since(r.CreatedAt).Abs() > time.Hour || r.Location != (file.Location{}) {
			t.Fatalf("%+v %v", r, err)
		}
		all, err := d.Files(ctx, 1, 7, "", 10)
		if err != nil || len(all) != 3 {
			t.Fatal(all, err)
		}
		// Page by page, also where the times are equal.
		var paged []file.Record
		after := file.ID("")
		for range 3 {
			page, err := d.Files(ctx, 1, 7, after, 1)
			if err != nil || len(page) != 1 {
				t.Fatal(page, err)
			}
			paged, after = append(paged, page...), page[0].ID
		}
		if diff := cmp.Diff(all, paged); diff != "" {
			t.Error(diff)
		}
		if page, err := d.Files(ctx, 1, 7, after, 1); err != nil || len(page) != 0 {
			t.Error(page, err)
		}
		if other, err := d.Files(ctx, 1, 8, "", 10); err != nil || len(other) != 0 {
			t.Error("files of another account", other, err)
		}

		// Deleting a file that never was an upload leaves a trace for its object.
		r.Location = file.Location{Bucket: "b", Key: "k"}
		noErr(t, d.DeleteFile(ctx, r))
		wantErr(t, d.DeleteFile(ctx, r), file.ErrNotFound)
		gone, err := d.Deleted(ctx, r.ID)
		if err != nil || gone.Location != r.Location {
			t.Fatal(gone, err)
		}
		ids, err := d.CutShort(ctx, "", 10)
		if diff := cmp.Diff([]file.ID{"old-2"}, ids); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
}

func TestTokens(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		noErr(t, d.CreateToken(ctx, file.Token{ID: "a", Hash: []byte("ha"), Name: "n", UserID: 1, AccountID: 2}))
		noErr(t, d.CreateToken(ctx, file.Token{ID: "b", Hash: []byte("hb"), UserID: 1, AccountID: 2, ExpiresAt: time.Now().Add(-time.Hour)}))
		noErr(t, d.CreateToken(ctx, file.Token{ID: "c", Hash: []byte("hc"), UserID: 1, AccountID: 2, ExpiresAt: time.Now().Add(time.Hour)}))
		got, err := d.Token(ctx, []byte("ha"))
		if err != nil || got.UserID != 1 || got.AccountID != 2 {
			t.Fatal(got, err)
		}
		_, err = d.Token(ctx, []byte("hb"))
		wantErr(t, err, file.ErrNotFound)
		_, err = d.Token(ctx, []byte("hc"))
		noErr(t, err)
		noErr(t, d.RevokeToken(ctx, "a"))
		wantErr(t, d.RevokeToken(ctx, "a"), file.ErrNotFound)
		_, err = d.Token(ctx, []byte("ha"))
		wantErr(t, err, file.ErrNotFound)
		all, err := d.Tokens(ctx)
		if err != nil || len(all) != 3 || all[0].CreatedAt.IsZero() {
			t.Fatal(all, err)
		}
	})
}

// Several processes that start together on one new database do the work once.
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

// The table of the Python service is adopted with its rows.
func TestAdoptPythonsTable(t *testing.T) {
	dsn := pgtest.New(t)
	conn, err := sql.Open("pgx", dsn)
	noErr(t, err)
	defer conn.Close()
	for _, q := range []string{
		`create table alembic_version (version_num varchar(32) primary key)`,
		`insert into alembic_version values ('5ba2db086f1a')`,
		`create table files (file_id varchar primary key, size bigint not null, content_type varchar not null, filename varchar not null,
			user_id integer null, account_id integer not null, created_at timestamptz not null default now())`,
		`create index ix_files_user_id on files (user_id)`,
		`create index ix_files_account_id on files (account_id)`,
		`insert into files (file_id, size, content_type, filename, user_id, account_id) values ('old', 5, 'text/plain', 'a.txt', 1, 2)`,
	} {
		if _, err := conn.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	d, err := OpenPostgres(t.Context(), dsn)
	noErr(t, err)
	defer d.Close()
	r, err := d.File(t.Context(), "old")
	if err != nil || r.Size != 5 || r.UserID != 1 || r.AccountID != 2 {
		t.Fatal(r, err)
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
	for got := false; !got; { // until the listener is there
		noErr(t, d.AskLetGo(ctx, "the-id"))
		select {
		case id := <-asked:
			got = id == "the-id"
		case <-time.After(20 * time.Millisecond):
		}
	}
	cancel()
	<-done
}
