package tempbytes_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"holdfast/bench/tempbytes"
)

func watch(t *testing.T) (dir string, count func() tempbytes.Count) {
	t.Helper()
	dir = t.TempDir()
	c, err := tempbytes.Watch(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return dir, func() tempbytes.Count {
		t.Helper()
		n, err := c.Count()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
}

func write(t *testing.T, path string, size int) *os.File {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestNothingWritten(t *testing.T) {
	_, count := watch(t)
	for range 3 { // its own marks don't count
		if got := count(); got != (tempbytes.Count{}) {
			t.Error(got)
		}
	}
}

// A file grows, is removed while it is open, and grows further: as tusd's do.
func TestRemovedWhileOpen(t *testing.T) {
	dir, count := watch(t)
	f := write(t, filepath.Join(dir, "part"), 1000)
	if got := count(); got != (tempbytes.Count{Bytes: 1000, Files: 1}) {
		t.Error(got)
	}
	if _, err := f.Write(make([]byte, 500)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(f.Name()); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != (tempbytes.Count{Bytes: 1500, Files: 1}) {
		t.Error(got)
	}
}

// The same name again is another file.
func TestSameNameAgain(t *testing.T) {
	dir, count := watch(t)
	path := filepath.Join(dir, "part")
	for i := range 3 {
		write(t, path, 10)
		count() // the counter has hold of it
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if got, want := count(), (tempbytes.Count{Bytes: 10 * int64(i+1), Files: int64(i + 1)}); got != want {
			t.Error(got)
		}
	}
}

func TestFoldersBelow(t *testing.T) {
	dir, count := watch(t)
	deep := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(deep, "x"), 7)
	count() // the counter has come to both folders
	write(t, filepath.Join(deep, "y"), 8)
	if err := os.RemoveAll(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	got := count()
	if got.Files != 2 || got.Bytes+8*got.Missed != 15 {
		t.Error(got)
	}
}

// Each file is counted once, even if it was gone before the counter could hold it; those are counted as missed.
func TestGoneAtOnce(t *testing.T) {
	dir, count := watch(t)
	const files = 200
	for i := range files {
		f := write(t, filepath.Join(dir, strconv.Itoa(i)), 5)
		f.Close()
		if err := os.Remove(f.Name()); err != nil {
			t.Fatal(err)
		}
	}
	if got := count(); got.Files != files || got.Bytes+5*got.Missed != 5*files {
		t.Error(got)
	}
}

func TestWhatWasThereBefore(t *testing.T) {
	dir := t.TempDir()
	old := write(t, filepath.Join(dir, "old"), 9)
	c, err := tempbytes.Watch(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := os.Remove(old.Name()); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Count(); got != (tempbytes.Count{}) || err != nil {
		t.Error(got, err)
	}
}

func TestClosed(t *testing.T) {
	c, err := tempbytes.Watch(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Count(); err == nil {
		t.Error("a closed counter counts")
	}
	if _, err := tempbytes.Watch("/nonexistent"); err == nil {
		t.Error("a folder that is not there is watched")
	}
}
