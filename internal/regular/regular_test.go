//go:build unix

package regular

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Whatever is no regular file is an error, at once: nobody ever writes to the FIFO.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	name := func(n string) string { return filepath.Join(dir, n) }
	if err := os.WriteFile(name("file"), []byte("bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", name("link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(name("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", name("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()

	for _, n := range []string{"file", "link"} {
		for _, in := range []*os.Root{nil, root} {
			f, info, err := openEither(in, dir, n)
			if err != nil || info.Size() != 5 {
				t.Fatal(n, err)
			}
			if b, err := io.ReadAll(f); string(b) != "bytes" || err != nil {
				t.Errorf("%s: %q %v", n, b, err)
			}
			f.Close()
		}
	}
	if err := os.Mkdir(name("folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(20*time.Second, func() {
		t.Error("the open waits for a writer")
		_, _ = os.OpenFile(name("fifo"), os.O_RDWR, 0) // ends the wait; it stays open, so that no other begins
	})
	defer stuck.Stop()
	for _, n := range []string{"fifo", "socket", "folder", "absent"} {
		for _, in := range []*os.Root{nil, root} {
			if f, _, err := openEither(in, dir, n); err == nil || f != nil || !strings.Contains(err.Error(), n) {
				t.Errorf("%s: %v", n, err)
			}
		}
	}
}

func openEither(in *os.Root, dir, n string) (*os.File, os.FileInfo, error) {
	if in != nil {
		return OpenIn(in, n)
	}
	return Open(filepath.Join(dir, n))
}
