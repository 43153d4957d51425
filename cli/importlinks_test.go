//go:build unix

package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// A file that is named by a symbolic link is rewritten where it lies: the link stays.
func TestRewriteFileByLink(t *testing.T) {
	dir := t.TempDir()
	at, link := filepath.Join(dir, "page.html"), filepath.Join(dir, "current.html")
	if err := os.WriteFile(at, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("page.html", link); err != nil {
		t.Fatal(err)
	}
	err := rewriteFile(link, func(_, text string) (string, error) { return text + " and new", nil })
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(at); string(b) != "old and new" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	if to, err := os.Readlink(link); to != "page.html" || err != nil {
		t.Errorf("the link: %q %v", to, err)
	}
	if entries, err := os.ReadDir(dir); len(entries) != 2 || err != nil {
		t.Errorf("%v %v", entries, err)
	}
}
