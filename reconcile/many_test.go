package reconcile

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
	_ "modernc.org/sqlite"             // the driver

	"holdfast/db"
	"holdfast/file"
	"holdfast/internal/test/pgtest"
	"holdfast/storage"
)

// many is how many files there are. With HOLDFAST_TEST_ALONE a million.
const many = 100_000

// listing is the listing of a store with so many files; filling a real store would take minutes. Each thousandth
// object is missing, and there are as many objects that no row names.
type listing struct {
	storage.Store
	n     int
	asked int
}

func (l *listing) Buckets(context.Context, string) ([]string, error) { return []string{"p-1"}, nil }

func (l *listing) List(_ context.Context, bucket, prefix, after string) (page []storage.ListedObject, _ error) {
	if bucket != "p-1" || prefix != "" {
		return nil, nil
	}
	l.asked++
	from := 0
	if after != "" {
		i, err := strconv.Atoi(strings.TrimSuffix(after[1:], "x"))
		if err != nil {
			return nil, nil // behind the tails
		}
		from = i + 1
	}
	for i := from; i < l.n && len(page) < 1000; i++ {
		key := fmt.Sprintf("f%08d", i)
		if i%1000 == 7 {
			key += "x"
		}
		page = append(page, storage.ListedObject{Key: key, Size: 10, ETag: "e"})
	}
	return page, nil
}

func (l *listing) Multiparts(context.Context, string, func(storage.MultipartUpload) error) error {
	return nil
}

func (l *listing) Stat(_ context.Context, at file.Location) (storage.Object, error) {
	if strings.HasSuffix(at.Key, "x") {
		return storage.Object{Size: 10, ETag: "e"}, nil
	}
	return storage.Object{}, file.ErrObjectMissing
}

// Memory does not grow with the number of files, on either database.
func TestMany(t *testing.T) {
	n := many
	if os.Getenv("HOLDFAST_TEST_ALONE") != "" {
		n = 1_000_000
	}
	t.Run("SQLite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "db")
		rows, err := db.OpenSQLite(t.Context(), path)
		compareMany(t, n, rows, err, "sqlite", path, `
			with recursive g(i) as (select 0 union all select i + 1 from g where i < $1 - 1)
			insert into files (file_id, size, content_type, filename, user_id, account_id, etag)
			select 'f' || substr('0000000' || i, -8), 10, 'text/plain', 'f', 1, 1, 'e' from g`)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		dsn := pgtest.New(t)
		rows, err := db.OpenPostgres(t.Context(), dsn)
		compareMany(t, n, rows, err, "pgx", dsn, `
			insert into files (file_id, size, content_type, filename, user_id, account_id, etag)
			select 'f' || lpad(i::text, 8, '0'), 10, 'text/plain', 'f', 1, 1, 'e' from generate_series(0, $1::int - 1) i`)
	})
}

func compareMany(t *testing.T, n int, rows *db.DB, err error, driver, dsn, fill string) {
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	raw, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Exec(fill, n); err != nil {
		t.Fatal(err)
	}
	found, most := map[Kind]int{}, uint64(0)
	store := &listing{n: n}
	c := &Checker{Rows: rows, Objects: store, Layout: storage.Layout{BucketPrefix: "p"}, Options: Options{Now: time.Now},
		Report: func(f Finding) error {
			if found[f.Kind]++; found[f.Kind]%50 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.Sys)
			}
			return nil
		}}
	begin := time.Now()
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || found[MissingObject] != n/1000 || found[Unknown] != n/1000 ||
		c.Summary.Records != int64(n) || c.Summary.Objects != int64(n) {
		t.Errorf("found %v, %v", found, &c.Summary)
	}
	if store.asked > n/1000+2 {
		t.Errorf("%d pages of the listing", store.asked)
	}
	if limit := uint64(200 << 20); most == 0 || most > limit {
		t.Errorf("the process took %d MiB", most>>20)
	}
	t.Logf("%d files in %s, %d MiB", n, time.Since(begin).Round(time.Millisecond), most>>20)
}
