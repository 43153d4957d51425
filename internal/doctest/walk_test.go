package doctest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// made are the folders that runs, builds and releases leave, as .gitignore writes them.
func made(t *testing.T) map[string]bool {
	t.Helper()
	folders := map[string]bool{}
	for line := range strings.Lines(read(t, ".gitignore")) {
		if folder, ok := strings.CutSuffix(strings.TrimSpace(line), "/"); ok {
			folders[folder] = true
		}
	}
	return folders
}

// eachSource calls visit with the path and the text of every file of the project whose name has this suffix. The path
// is relative to the project. Hidden folders, and those that git ignores, are left out.
func eachSource(t *testing.T, ending string, visit func(path, text string)) {
	t.Helper()
	root := os.DirFS(filepath.Join("..", ".."))
	made := made(t)
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || made["/"+path] || made[entry.Name()]):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ending):
			return nil
		}
		b, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		visit(path, string(b))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
