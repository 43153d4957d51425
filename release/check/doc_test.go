// Package check installs, upgrades, runs and removes the artifacts of `make release`, in a bare Debian and in the
// image's root. scripts/release-check.sh runs it as root, in a mount namespace of its own: its mounts end with it.
package check

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// dist returns the folder of the release; without one the test is skipped.
func dist(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("RELEASE_DIST")
	if folder == "" {
		t.Skip("make release-check sets RELEASE_DIST")
	}
	return folder
}

// one returns the only file of the release whose name matches.
func one(t *testing.T, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dist(t), pattern))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%s: %v %v", pattern, paths, err)
	}
	return paths[0]
}

// version returns the release's version, from the names of its files.
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
