//go:build unix

package cli

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder is a data folder and one to play in.
type folder struct{ data, other string }

// filled has a file in the store, from an import.
func filled(t *testing.T) folder {
	t.Helper()
	f := folder{filepath.Join(t.TempDir(), "data"), t.TempDir()}
	f.does(t, ok, "token", "create", "--user", "1", "--account", "1")
	for name, text := range map[string]string{"a.txt": "the text", "m.csv": "account,path\n1,a.txt\n"} {
		if err := os.WriteFile(f.in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.does(t, ok, "import", "--manifest", f.in("m.csv"), "--folder", f.other)
	return f
}

func (f folder) in(name string) string { return filepath.Join(f.other, name) }

func (f folder) getenv(name string) string { return map[string]string{"DATA_DIR": f.data}[name] }

// does runs a command, expects its status, and returns what it printed.
func (f folder) does(t *testing.T, want int, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if status := Run(t.Context(), args, f.getenv, strings.NewReader(""), &out, &out); status != want {
		t.Errorf("%q: status %d, want %d\n%s", args, status, want, &out)
	}
	return out.String()
}

// refuses expects that no backup is made, that nothing is left, and that the message has a text.
func (f folder) refuses(t *testing.T, status int, to, says string) {
	t.Helper()
	if out := f.does(t, status, "backup", to); !strings.Contains(out, says) {
		t.Errorf("%q is not in %s", says, out)
	}
	if names, err := os.ReadDir(filepath.Dir(to)); err != nil || strings.Contains(strings.Join(namesOf(names), " "),
		filepath.Base(to)) {
		t.Errorf("left: %v %v", names, err)
	}
}

func namesOf(entries []os.DirEntry) (names []string) {
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A backup lies outside of the store's own folder, which is emptied at start.
func TestBackupIntoTheStore(t *testing.T) {
	f := filled(t)
	f.refuses(t, misused, filepath.Join(f.data, "store", "tmp", "bk"), "the store's own folder")
	f.does(t, ok, "backup", filepath.Join(f.data, "bk"))
}

// While the folder of the store is away, there is nothing that could be backed up.
func TestBackupWithoutTheStore(t *testing.T) {
	f := filled(t)
	if err := os.Rename(filepath.Join(f.data, "store"), f.in("away")); err != nil {
		t.Fatal(err)
	}
	f.refuses(t, failed, f.in("bk"), "mount")
}

// A backup of a damaged database is none. SQLite copies it without an error.
func TestBackupOfADamagedDatabase(t *testing.T) {
	f := filled(t)
	path := filepath.Join(f.data, "holdfast.db")
	rows, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	var page, size int64
	err = rows.QueryRow(`select rootpage, page_size from sqlite_schema, pragma_page_size where name = 'files'`).
		Scan(&page, &size)
	if err = errors.Join(err, rows.Close()); err != nil {
		t.Fatal(err)
	}
	database, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Rows are at the end of their page.
	_, err = database.WriteAt(make([]byte, 3000), page*size-3000)
	if err = errors.Join(err, database.Close()); err != nil {
		t.Fatal(err)
	}
	f.refuses(t, failed, f.in("bk"), "damaged")
}

// A copy lacks an object that the source has: it is no backup. If the source lacks it as well, it is counted.
func TestCopyWithoutAnObject(t *testing.T) {
	f := filled(t)
	f.does(t, ok, "backup", f.in("bk"))
	lose := func(folder string) {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(folder, "store/buckets/*/objects/*/*"))
		if err != nil || len(found) != 1 {
			t.Fatalf("%v %v", found, err)
		}
		if err := os.Remove(found[0]); err != nil {
			t.Fatal(err)
		}
	}
	lose(f.in("bk"))
	p := &program{ctx: t.Context(), getenv: f.getenv, stderr: os.Stderr}
	c, err := p.settings()
	if err != nil {
		t.Fatal(err)
	}
	if missing, err := checkCopy(p, c, f.in("bk")); err == nil {
		t.Errorf("%d missing, and no error", missing)
	}
	lose(f.data)
	if out := f.does(t, failed, "backup", f.in("bk2")); !strings.Contains(out, "1 records have no object") {
		t.Error(out)
	}
	f.does(t, failed, "reconcile") // also of the original
}

// Commands for what exists make no database, nor its folder: DATA_DIR may be wrong, or not mounted.
func TestNoDatabase(t *testing.T) {
	f := folder{filepath.Join(t.TempDir(), "typo"), t.TempDir()}
	if err := os.WriteFile(f.in("m.csv"), []byte("account,path\n1,m.csv\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"reconcile"}, {"reconcile", "--fix"}, {"token", "list"}, {"token", "revoke", "id"},
		{"quota", "list"}, {"quota", "show", "--account", "1"}, {"quota", "set", "--account", "1", "--files", "1"},
		{"quota", "clear", "--account", "1"}, {"events", "list"}, {"events", "resend"},
		{"links", "revoke", "--account", "1", "--user", "1"}, {"store", "accept"}, {"backup", f.in("bk")}, {"import"},
		{"import", "--manifest", f.in("m.csv"), "--folder", f.other}, {"import", "links"}} {
		if out := f.does(t, failed, args...); !strings.Contains(out, "there is no database") {
			t.Errorf("%q: %s", args, out)
		}
		if _, err := os.Lstat(f.data); err == nil {
			t.Fatalf("%q made %s", args, f.data)
		}
	}
	f.does(t, ok, "token", "create", "--user", "1", "--account", "1") // before the first start
	f.does(t, ok, "reconcile")
}
