package e2e

import (
	"bytes"
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver

	"holdfast/file"
	"holdfast/internal/test/pgtest"
	"holdfast/internal/test/s3test"
	"holdfast/storage"
	"holdfast/storage/s3"
)

// A row of another program has only the old columns, and a size of 0 or a wrong one. The file is
// served with the size in the store, which is read once.
func TestForeignRows(t *testing.T) {
	t.Parallel()
	server, pg := s3test.Start(t), pgtest.Start(t)
	direct := *server
	w := watch(t, server)
	s := start(t, append(append(objectStore(server), postgres(pg)...), "PERMISSION_CACHE_TTL=10m",
		"AUTH_CACHE_TTL=10m")...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	store := s3.New(s3.Options{Endpoint: direct.Endpoint, Region: direct.Region, AccessKey: direct.AccessKey,
		SecretKey: direct.SecretKey})
	defer store.Close()
	rows, err := sql.Open("pgx", pg.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()

	content := random(5000)
	for id, size := range map[string]int{"old 1ö.pdf": 0, "old_2.pdf": 77, "missing.pdf": 5000} {
		at := storage.Layout{BucketPrefix: "pneumatic-dev-test"}.Object(1, file.ID(id))
		if id != "missing.pdf" {
			if _, err := store.Put(t.Context(), at, "application/pdf", bytes.NewReader(content),
				int64(len(content))); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := rows.Exec(`insert into files (file_id, size, content_type, filename, user_id, account_id)
			values ($1, $2, 'application/pdf', 'old.pdf', 1, 1)`, id, size); err != nil {
			t.Fatal(err)
		}
	}
	other := "Authorization: Bearer " + s.run("token", "create", "--user", "2", "--account", "1")
	w.take()
	for _, id := range []string{"old%201%C3%B6.pdf", "old_2.pdf"} {
		s.holds(t, s.base+"/"+id, content)
		if a := s.do(t, "GET", "/files/"+id, nil, "Range: bytes=-10"); a.status != 206 ||
			!bytes.Equal(a.body, content[4990:]) ||
			a.header.Get("Content-Range") != "bytes 4990-4999/5000" || a.header.Get("ETag") == "" ||
			a.header.Get("Repr-Digest") != "" {
			t.Errorf("%s: %v", id, a)
		}
		if calls, _ := w.take(); len(calls) != 3 || calls[0] != "HEAD " || calls[2] != "GET bytes=4990-4999" {
			t.Errorf("%s: the store was asked for %q", id, calls)
		}
	}
	s.check(t, []line{
		{"GET", "/files/missing.pdf", "", "", 404, "STORAGE_005", ""},
		{"GET", "/files/missing.pdf", other, "", 403, "FILE_002", ""},
	})
}
