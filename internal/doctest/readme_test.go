// Package doctest keeps what the documents say true.
package doctest

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/config"
)

// The README's tour is run as it stands, in one shell.
func TestTour(t *testing.T) {
	blocks := snippets(t, "README.md", "tour")
	if len(blocks) < 6 {
		t.Fatalf("%d blocks", len(blocks))
	}
	start(t, 0, "").run(t, t.TempDir(), nil, "bash", "-euo", "pipefail", "-c", strings.Join(blocks, ""))
}

// The table of settings names what package config reads, no more and no less.
func TestSettings(t *testing.T) {
	asked := map[string]bool{}
	for _, storage := range []string{"embedded", "local", "google", "s3"} {
		config.Load(func(name string) string {
			asked[name] = true
			switch {
			case name == "STORAGE_TYPE":
				return storage
			case name == "POSTGRES_HOST", strings.HasSuffix(name, "_ENDPOINT"):
				return "host"
			}
			return ""
		})
	}
	var want, got []string
	for name := range asked {
		want = append(want, name)
	}
	for line := range strings.Lines(read(t, "README.md")) {
		if first, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " |"); ok && strings.HasPrefix(line, "| `") {
			for _, name := range regexp.MustCompile("`([A-Z0-9_]+)`").FindAllStringSubmatch(first, -1) {
				got = append(got, name[1])
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("README's table (+) and what is read (-):\n%s", diff)
	}
}

// Every make target that the README names is there.
func TestTargets(t *testing.T) {
	makefile := read(t, "Makefile")
	for _, m := range regexp.MustCompile("(?m)^make ([a-z]+)").FindAllStringSubmatch(read(t, "README.md"), -1) {
		if !strings.Contains(makefile, "\n"+m[1]+":") {
			t.Errorf("there is no make %s", m[1])
		}
	}
}
