package db

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/file"
	"holdfast/internal/test/pgtest"
)

// What is in testdata/version-0.1.*.sql.
const (
	oldFile  = file.ID("10000000-0000-4000-8000-000000000001")
	oldForm  = file.ID("10000000-0000-4000-8000-000000000002")
	oldHalf  = file.ID("10000000-0000-4000-8000-000000000003")
	oldPart  = file.ID("10000000-0000-4000-8000-000000000004")
	oldLink  = "00000000000000000000000000000001"
	oldBytes = 5 // of the file; of the upload, as many were sent
)

// load runs the statements of a dump.
func load(t *testing.T, driver, source, dump string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", dump))
	noErr(t, err)
	conn, err := sql.Open(driver, source)
	noErr(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(t.Context(), string(b))
	noErr(t, err)
}

// A database of version 0.1 opens, is brought up to date, and all of it is there.
func TestOpenVersion01(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "holdfast.db")
		load(t, "sqlite", path, "version-0.1.sqlite.sql")
		d, err := OpenSQLite(t.Context(), path)
		noErr(t, err)
		defer d.Close()
		hasVersion01(t, d)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		dsn := pgtest.New(t)
		load(t, "pgx", dsn, "version-0.1.postgres.sql")
		d, err := OpenPostgres(t.Context(), dsn)
		noErr(t, err)
		defer d.Close()
		hasVersion01(t, d)
	})
}

func hasVersion01(t *testing.T, d *DB) {
	t.Helper()
	ctx := t.Context()
	r, err := d.File(ctx, oldFile)
	noErr(t, err)
	if r.Name != "hello.txt" || r.Size != oldBytes || r.UserID != 1 || r.AccountID != 1 {
		t.Errorf("%+v", r)
	}
	all, err := d.AccountFiles(ctx, 1, "", 10)
	if err != nil || len(all) != 2 || all[1].ID != oldForm {
		t.Errorf("files: %v %v", all, err)
	}
	g, err := d.Grant(ctx, oldFile)
	if want := (file.Grant{Access: file.Restricted, Users: []int64{7}, Groups: []string{"staff"}}); err != nil ||
		!cmp.Equal(g, want) {
		t.Errorf("grant: %+v %v", g, err)
	}
	if l, err := d.Link(ctx, oldLink); err != nil || l.File != oldFile {
		t.Errorf("link: %+v %v", l, err)
	}
	hasUnfinished01(t, d)
	tokens, err := d.Tokens(ctx)
	noErr(t, err)
	i := slices.IndexFunc(tokens, func(k file.Token) bool { return k.Name == "laptop" })
	if i < 0 || tokens[i].UserID != 9 || tokens[i].AccountID != 2 || !slices.Equal(tokens[i].Groups, []string{"staff"}) {
		t.Errorf("tokens: %+v", tokens)
	}
	if _, q, err := d.Usage(ctx, 2); err != nil || q.Bytes != 1000 {
		t.Errorf("quota: %+v %v", q, err)
	}
	if key, err := d.Secret(ctx, "link key", make([]byte, 32)); err != nil || slices.Max(key) == 0 {
		t.Errorf("the key of links is a new one: %v", err)
	}
}

// hasUnfinished01 goes on with an upload where it ended.
func hasUnfinished01(t *testing.T, d *DB) {
	t.Helper()
	ctx := t.Context()
	half, err := d.TakeLease(ctx, oldHalf, "holder", time.Minute)
	noErr(t, err)
	if half.Offset != oldBytes || len(half.Tails) != 1 || half.Tails[0].Size != oldBytes {
		t.Errorf("%+v", half)
	}
	if part, err := d.UploadRow(ctx, oldPart); err != nil || part.Offset != 3 {
		t.Errorf("partial upload: %+v %v", part, err)
	}
}
