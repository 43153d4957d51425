package db

import (
	"testing"

	"holdfast/file"
	"holdfast/internal/test/pgtest"
)

// A database knows which store it belongs to from the first note on, and whether something is stored there.
func TestStoreIdentity(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		ctx := t.Context()
		knows := func(want string, wantUsed bool) {
			t.Helper()
			if got, used, err := d.StoreIdentity(ctx); err != nil || got != want || used != wantUsed {
				t.Errorf("%q, used: %t, %v, want %q, %t", got, used, err, want, wantUsed)
			}
		}
		knows("", false)
		noErr(t, d.NoteStore(ctx, "one"))
		noErr(t, d.NoteStore(ctx, "two"))
		u := leased(t, d, newUpload())
		knows("one", false)
		commit(t, d, u, file.Progress{Offset: 10, Tails: []file.Tail{{Size: 10, Key: "t"}}})
		knows("one", true)
	})
}

// A database that takes writes is told from one that does not, such as a standby.
func TestWritable(t *testing.T) {
	each(t, func(t *testing.T, d *DB) { noErr(t, d.Writable(t.Context())) })
	t.Run("read-only", func(t *testing.T) {
		dsn := pgtest.New(t)
		d, err := OpenPostgres(t.Context(), dsn)
		noErr(t, err)
		defer d.Close()
		_, err = d.sql.ExecContext(t.Context(), `do $$ begin execute format(
			'alter database %I set default_transaction_read_only = on', current_database()); end $$`)
		noErr(t, err)
		other, err := ConnectPostgres(t.Context(), dsn)
		noErr(t, err)
		defer other.Close()
		if err := other.Writable(t.Context()); err == nil {
			t.Error("it takes writes")
		}
	})
}
