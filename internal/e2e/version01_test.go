package e2e

import (
	"archive/tar"
	"bytes"
	"compress/bzip2"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// startVersion01 starts the service on a data folder that version 0.1 left when it was killed.
func startVersion01(t *testing.T) *server {
	t.Helper()
	s := newServer(t)
	f, err := os.Open("../../storage/disk/testdata/v01.tar.bz2")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := tar.NewReader(bzip2.NewReader(f)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		path := ""
		if err == nil {
			path = filepath.Join(s.data, filepath.Clean("/"+h.Name))
			err = os.MkdirAll(filepath.Dir(path), 0o700)
		}
		if err == nil && !h.FileInfo().IsDir() {
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, b, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	rows, err := sql.Open("sqlite", filepath.Join(s.data, "holdfast.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	// The folder is kept longer than an upload lives.
	if _, err := rows.Exec("update uploads set expires = $1 where state = 'open'",
		time.Now().Add(time.Hour).UnixMilli()); err != nil {
		t.Fatal(err)
	}
	s.launch()
	return s
}

// A data folder of version 0.1, whose embedded store was another one, can be used: files are there, the unfinished
// upload can be finished, a backup has everything, and reconcile finds nothing afterwards.
func TestDataFolderOfVersion01(t *testing.T) {
	t.Parallel()
	s := startVersion01(t)
	filled := func(with string, n int) []byte { return bytes.Repeat([]byte(with), n/len(with)+1)[:n] }
	at := func(id string) string { return s.base + "/" + id }
	small, large := at("674613f6-882b-4a40-b58e-4b7a63b74c6b"), at("01e89131-d8b2-4b71-b9dd-e733fbb7c678")
	s.holds(t, small, []byte("a small file of version 0.1\n"))
	s.holds(t, large, filled("0.1\n", 17*mebi))
	if a := s.do(t, "GET", large, nil, "Range: bytes=8388606-8388609"); a.status != 206 || string(a.body) != "1\n0." {
		t.Errorf("a range: %v", a)
	}
	if a := s.do(t, "GET", at("72fac5fe-1f5a-4da5-94ce-6c4ab8108ab1"), nil); a.status != 404 {
		t.Errorf("a deleted file: %v", a)
	}

	unfinished, came := s.base+"/tus/b35c4e24-37ed-45a8-b7c2-aaa15e514dd9", 17*mebi+5
	whole := filled("unfinished\n", 20*mebi)
	if a := s.do(t, "HEAD", unfinished, nil); a.header.Get("Upload-Offset") != strconv.Itoa(came) {
		t.Fatalf("the unfinished upload: %v", a)
	}
	a := s.patch(t, unfinished, came, whole[came:])
	finished := a.header.Get("Content-Location")
	s.holds(t, finished, whole)

	copied := filepath.Join(s.folder, "copy")
	s.run("backup", copied)
	if a := s.do(t, "DELETE", small, nil); a.status != 204 {
		t.Errorf("DELETE: %v", a)
	}
	s.stop()
	if found, clean := s.reconcile(t, "--deep"); !clean || len(found) > 0 {
		t.Errorf("reconcile: %v", found)
	}
	s.data, s.token = copied, ""
	s.env = append(s.env, "DATA_DIR="+copied)
	s.restart()
	s.holds(t, small, []byte("a small file of version 0.1\n"))
	s.holds(t, large, filled("0.1\n", 17*mebi))
	s.holds(t, finished, whole)
}
