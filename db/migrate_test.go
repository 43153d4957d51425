package db

import (
	"context"
	"path/filepath"
	"testing"

	"holdfast/internal/test/pgtest"
)

// During a rolling upgrade this version works beside a newer one that has already migrated the tables, in additive
// steps: this version keeps working, and can be started.
func TestBesideNewerVersion(t *testing.T) {
	path, dsn := filepath.Join(t.TempDir(), "db"), pgtest.New(t)
	for name, open := range map[string]func(context.Context) (*DB, error){
		"SQLite":     func(ctx context.Context) (*DB, error) { return OpenSQLite(ctx, path) },
		"PostgreSQL": func(ctx context.Context) (*DB, error) { return OpenPostgres(ctx, dsn) },
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			d, err := open(ctx)
			noErr(t, err)
			defer d.Close()
			foreign(t, d, "before", 4)
			_, err = d.AccountFiles(ctx, 4, "", 10)
			noErr(t, err)
			for _, step := range []string{
				`alter table files add column of_a_newer_version text`,
				`create table of_a_newer_version (id text primary key)`,
				`insert into holdfast_migrations (version_id, is_applied) values (99999, true)`,
			} {
				_, err := d.exec(ctx, "migrate", step)
				noErr(t, err)
			}
			foreign(t, d, "meanwhile", 4)
			again, err := open(ctx)
			if err != nil {
				t.Fatalf("it does not start beside a newer version: %v", err)
			}
			defer again.Close()
			foreign(t, again, "after", 4)
			if all, err := d.AccountFiles(ctx, 4, "", 10); err != nil || len(all) != 3 {
				t.Errorf("%v %v", all, err)
			}
		})
	}
}
