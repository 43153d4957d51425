// Package check installs, upgrades, runs and removes what `make release` has made, in a bare Debian and in the image's
// own
// root. scripts/release-check.sh runs it as root, with a mount namespace of its own: what is mounted here ends with it.
package check

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// dist is the folder of the release; the tests here are skipped where there is none to check.
func dist(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("RELEASE_DIST")
	if folder == "" {
		t.Skip("make release-check sets RELEASE_DIST")
	}
	return folder
}

// one is the only file of the release whose name has this pattern.
func one(t *testing.T, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dist(t), pattern))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%s: %v %v", pattern, paths, err)
	}
	return paths[0]
}

// version is the release's, from the names of its files.
func version(t *testing.T) string {
	t.Helper()
	name := filepath.Base(one(t, "holdfast_*_page.cdx.json"))
	return regexp.MustCompile(`^holdfast_(.*)_page\.cdx\.json$`).FindStringSubmatch(name)[1]
}

func noErr(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
