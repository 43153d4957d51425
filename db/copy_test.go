package db

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"holdfast/file"
)

// A copy of a SQLite database is a usable database. CopyTo overwrites no file, and refuses PostgreSQL, which has
// its own tools.
func TestCopyTo(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx, path := t.Context(), filepath.Join(t.TempDir(), "it's a copy.db")
		foreign(t, d, "one", 4)
		if d.Shared() {
			wantErr(t, d.CopyTo(ctx, path), file.ErrInvalid)
			return
		}
		noErr(t, d.CopyTo(ctx, path))
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("others may read it: %v %v", info.Mode(), err)
		}
		foreign(t, d, "two", 4)
		if d.CopyTo(ctx, path) == nil {
			t.Error("a copy was written over another one")
		}
		c, err := OpenSQLite(ctx, path)
		noErr(t, err)
		defer c.Close()
		all, err := c.AccountFiles(ctx, 4, "", 10)
		noErr(t, err)
		if len(all) != 1 || all[0].ID != "one" {
			t.Errorf("%v", all)
		}
	})
}

// Check finds an index that lacks rows of its table.
func TestCheck(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		foreign(t, d, "one", 4)
		noErr(t, d.Check(t.Context()))
		if d.Shared() {
			return
		}
		path := filepath.Join(t.TempDir(), "damaged.db")
		noErr(t, d.CopyTo(t.Context(), path))
		raw, err := sql.Open("sqlite", path)
		noErr(t, err)
		_, err = raw.ExecContext(t.Context(), `pragma writable_schema = on; update sqlite_schema set sql =
			'create index ix_files_account_id on files (user_id, filename)' where name = 'ix_files_account_id'`)
		noErr(t, errors.Join(err, raw.Close()))
		damaged, err := ConnectSQLite(t.Context(), path)
		noErr(t, err)
		defer damaged.Close()
		wantErr(t, damaged.Check(t.Context()), ErrDamaged)
	})
}

// SetTag changes an object's tag only if nothing has changed the tag since it was read.
func TestSetTag(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		foreign(t, d, "one", 4)
		r, err := d.File(ctx, "one")
		noErr(t, err)
		r.ETag = "first"
		noErr(t, d.HealRecord(ctx, r))
		wantErr(t, d.SetTag(ctx, "one", "other", "second"), file.ErrConflict)
		noErr(t, d.SetTag(ctx, "one", "first", "second"))
		if r, err = d.File(ctx, "one"); err != nil || r.ETag != "second" {
			t.Errorf("%q %v", r.ETag, err)
		}
		wantErr(t, d.SetTag(ctx, "none", "first", "second"), file.ErrConflict)
	})
}
