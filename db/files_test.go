package db

import (
	"database/sql"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/file"
	"holdfast/internal/test/pgtest"
)

// insertOld inserts a row as Django's migration tool does: with seven columns, and a size of 0. A user of 0 is none.
func insertOld(t *testing.T, d *DB, id file.ID, user int64) {
	t.Helper()
	_, err := d.exec(t.Context(), "test", `insert into files (file_id, size, content_type, filename, user_id, account_id)
		values ($1, 0, 'text/plain', 'old', $2, 7)`, id, sql.NullInt64{Int64: user, Valid: user != 0})
	noErr(t, err)
}

// withOldFiles runs a test on three files of user 1 and one of no user, all in account 7.
func withOldFiles(t *testing.T, test func(t *testing.T, d *DB)) {
	each(t, func(t *testing.T, d *DB) {
		for _, id := range []file.ID{"old-1", "old-2", "old-3"} {
			insertOld(t, d, id, 1)
		}
		insertOld(t, d, "nobody's", 0)
		test(t, d)
	})
}

func TestFiles(t *testing.T) {
	withOldFiles(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		r, err := d.File(ctx, "old-2")
		if err != nil || r.CreatedAt.IsZero() || time.Since(r.CreatedAt).Abs() > time.Hour ||
			r.Location != (file.Location{}) {
			t.Fatalf("%+v %v", r, err)
		}
		all, next, err := d.Files(ctx, 1, 7, file.Cursor{}, 10)
		if err != nil || len(all) != 3 || next != (file.Cursor{}) {
			t.Fatal(all, next, err)
		}
		if other, _, err := d.Files(ctx, 1, 8, file.Cursor{}, 10); err != nil || len(other) != 0 {
			t.Error("files of another account", other, err)
		}
		if whole, _, err := d.Files(ctx, 0, 7, file.Cursor{}, 10); err != nil || len(whole) != 4 {
			t.Error("files of the account", whole, err)
		}
	})
}

// A list comes page by page, also where rows have equal times. When the file at a cursor is deleted, the cursor keeps
// its position: no file is skipped, none is listed twice.
func TestPagesOfFiles(t *testing.T) {
	withOldFiles(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		all, _, err := d.Files(ctx, 1, 7, file.Cursor{}, 10)
		noErr(t, err)
		var paged []file.Record
		var after file.Cursor
		for i := range 3 {
			page, next, err := d.Files(ctx, 1, 7, after, 1)
			if err != nil || len(page) != 1 || (next == file.Cursor{}) != (i == 2) {
				t.Fatal(page, next, err)
			}
			paged, after = append(paged, page...), next
			at, rec, err := d.Cursor(ctx, page[0].ID)
			if err != nil || i < 2 && at != next || rec.ID != page[0].ID {
				t.Errorf("%+v %+v %v, want %+v", at, rec, err, next)
			}
		}
		if diff := cmp.Diff(all, paged); diff != "" {
			t.Error(diff)
		}
		_, second, err := d.Files(ctx, 1, 7, file.Cursor{}, 2)
		noErr(t, err)
		_, err = d.exec(ctx, "test", `delete from files where file_id = $1`, second.ID)
		noErr(t, err)
		if rest, next, err := d.Files(ctx, 1, 7, second, 10); err != nil || len(rest) != 1 || rest[0].ID != all[2].ID ||
			next != (file.Cursor{}) {
			t.Error(rest, next, err)
		}
		_, _, err = d.Cursor(ctx, "nothing")
		wantErr(t, err, file.ErrNotFound)
	})
}

// Deleting a file that never was an upload leaves a deleted upload for its object.
func TestDeleteForeignFile(t *testing.T) {
	withOldFiles(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		r, err := d.File(ctx, "old-2")
		noErr(t, err)
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
		noErr(t, d.CreateToken(ctx, file.Token{ID: "b", Hash: []byte("hb"), UserID: 1, AccountID: 2,
			ExpiresAt: time.Now().Add(-time.Hour)}))
		noErr(t, d.CreateToken(ctx, file.Token{ID: "c", Hash: []byte("hc"), UserID: 1, AccountID: 2,
			ExpiresAt: time.Now().Add(time.Hour)}))
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

// The Python service's table is taken over with its rows.
func TestAdoptPythonsTable(t *testing.T) {
	dsn := pgtest.New(t)
	conn, err := sql.Open("pgx", dsn)
	noErr(t, err)
	defer conn.Close()
	for _, q := range []string{
		`create table alembic_version (version_num varchar(32) primary key)`,
		`insert into alembic_version values ('5ba2db086f1a')`,
		`create table files (file_id varchar primary key, size bigint not null, content_type varchar not null,
			filename varchar not null,
			user_id integer null, account_id integer not null, created_at timestamptz not null default now())`,
		`create index ix_files_user_id on files (user_id)`,
		`create index ix_files_account_id on files (account_id)`,
		`insert into files (file_id, size, content_type, filename, user_id, account_id) values ('old', 5, 'text/plain',
			'a.txt', 1, 2)`,
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

// Users and accounts with numbers beyond 32 bits have no files; a query for them is no error.
func TestNumbersBeyond32Bits(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		foreign(t, d, "one", 4)
		const far = int64(5_000_000_000)
		for _, c := range []struct{ user, account int64 }{{far, 4}, {1, far}, {0, far}, {far, far}, {1<<63 - 1, 1<<63 - 1}} {
			all, _, err := d.Files(t.Context(), c.user, c.account, file.Cursor{}, 10)
			if err != nil || len(all) != 0 {
				t.Errorf("%+v: %v, %v", c, all, err)
			}
		}
		if all, err := d.AccountFiles(t.Context(), far, "", 10); err != nil || len(all) != 0 {
			t.Errorf("%v, %v", all, err)
		}
		_, _, err := d.Recount(t.Context(), far, true)
		noErr(t, err)
	})
}
