package importer

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A manifest's path leads to files in the folder, and never out of it.
func TestPathsStayInTheFolder(t *testing.T) {
	dir := t.TempDir()
	folder, secret := filepath.Join(dir, "folder"), filepath.Join(dir, "secret")
	err := errors.Join(os.MkdirAll(filepath.Join(folder, "in"), 0o700), os.WriteFile(secret, []byte("secret"), 0o600),
		os.WriteFile(filepath.Join(folder, "in", "a.txt"), []byte("mine"), 0o600),
		os.Symlink("../secret", filepath.Join(folder, "link")), os.Symlink(secret, filepath.Join(folder, "absolute")),
		os.Symlink("..", filepath.Join(folder, "out")), os.Symlink("a.txt", filepath.Join(folder, "in", "b.txt")))
	if err != nil {
		t.Fatal(err)
	}
	im := &Importer{}
	if _, err := im.openFile("in/a.txt"); err == nil {
		t.Error("a path without a folder")
	}
	im.Folder = folder
	for _, path := range []string{"in/a.txt", "in/b.txt", "./in/../in/a.txt"} {
		o, err := im.openFile(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if b, err := io.ReadAll(o.body); string(b) != "mine" || err != nil {
			t.Errorf("%s: %q %v", path, b, err)
		}
		o.body.Close()
	}
	for _, path := range []string{"../secret", "in/../../secret", secret, "link", "absolute", "out/secret", "in", ".",
		"", "none"} {
		if o, err := im.openFile(path); err == nil {
			o.body.Close()
			t.Errorf("%q was opened", path)
		}
	}
}
