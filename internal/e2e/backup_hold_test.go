package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"testing"

	"holdfast/db"
	"holdfast/file"
	"holdfast/storage/disk"
)

// During a backup, files can be deleted and uploads continue, but every object that the copied database may name stays
// in the store: the deleted object, and the parts of an upload that has all its bytes, whose client waits until they
// were copied. After the backup the upload is completed and the object removed.
func TestNothingIsRemovedDuringABackup(t *testing.T) {
	s := start(t)
	content := random(9 * mebi)
	url, _ := s.upload(t, content)
	parts := random(9*mebi + 1)
	at := s.create(t, len(parts))
	s.patch(t, at, 0, parts[:9*mebi])
	object := s.object(t, path.Base(url))

	hold, err := disk.BeginHold(t.Context(), s.data)
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Release()
	s.deletes(t, url)
	if a := s.do(t, "GET", url, nil); a.status != 404 {
		t.Errorf("GET after DELETE: %v", a)
	}
	ended := make(chan answer, 1)
	go func() { ended <- s.patch(t, at, 9*mebi, parts[9*mebi:]) }()
	rows, err := db.ConnectSQLite(t.Context(), filepath.Join(s.data, "holdfast.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	s.eventually("all bytes are committed", func() bool {
		u, err := rows.UploadRow(t.Context(), file.ID(path.Base(at)))
		return err == nil && u.State == file.Completing
	})
	for range 10 { // work that continues during the backup
		if a := s.do(t, "POST", "/files/tus/", random(1000), octets, "Upload-Length: 1000"); a.status != 201 {
			t.Errorf("an upload beside: %v", a)
		}
	}
	select {
	case a := <-ended:
		t.Fatalf("the client did not wait: %v", a)
	default:
	}
	if _, err := os.Stat(object); err != nil {
		t.Errorf("the deleted object: %v", err)
	}
	if found, err := filepath.Glob(filepath.Join(s.data, "store/buckets/*/parts/*/1-*")); err != nil || len(found) != 2 {
		t.Errorf("the parts of the object and of the upload: %v %v", found, err)
	}
	hold.ReleaseParts()
	if a := <-ended; a.status != 204 && a.status != 503 { // it does not wait forever
		t.Errorf("its client: %v", a)
	}
	s.eventually("the upload is a file",
		func() bool { return s.do(t, "HEAD", at, nil).header.Get("Content-Location") != "" })
	s.holds(t, s.base+"/"+path.Base(at), parts)
	if _, err := os.Stat(object); err != nil {
		t.Errorf("before the end of the backup: %v", err)
	}
	hold.Release()
	s.sweepRemoves(t, object)
}

// sweepRemoves starts the service again, which sweeps, and waits until a file is gone.
func (s *server) sweepRemoves(t *testing.T, path string) {
	t.Helper()
	s.stop()
	s.restart()
	s.eventually("it is removed", func() bool {
		_, err := os.Stat(path)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// object is where the embedded store keeps a file.
func (s *server) object(t *testing.T, id string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(s.data, "store/buckets/*/objects/*", id))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s lies at %v (%v)", id, found, err)
	}
	return found[0]
}
