// Package doctest tests the documents: that their statements are true and their examples work.
package doctest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"holdfast/config"
)

// The README's tour runs as it is written, in one shell.
func TestTour(t *testing.T) {
	blocks := snippets(t, "README.md", "tour")
	if len(blocks) < 6 {
		t.Fatalf("%d blocks", len(blocks))
	}
	start(t, 0, "").run(t, t.TempDir(), nil, "bash", "-euo", "pipefail", "-c", strings.Join(blocks, ""))
}

// The settings in the README's short table exist. docs/OPERATIONS.md has all settings, which package config tests.
func TestSettings(t *testing.T) {
	known := map[string]bool{}
	for _, s := range config.Settings() {
		known[s.Name] = true
	}
	named := 0
	for line := range strings.Lines(read(t, "README.md")) {
		if first, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " |"); ok && strings.HasPrefix(line, "| `") {
			for _, name := range regexp.MustCompile("`([A-Z][A-Z0-9_]+)`").FindAllStringSubmatch(first, -1) {
				named++
				if !known[name[1]] {
					t.Errorf("the README's table has %s, which is no setting", name[1])
				}
			}
		}
	}
	if named < 10 {
		t.Errorf("the README's table has %d settings", named)
	}
}

// Every make target and every path of the repository in a document exists.
func TestTargetsAndPaths(t *testing.T) {
	makefile := read(t, "Makefile")
	root := filepath.Join("..", "..")
	documents, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	targets, paths := 0, 0
	for _, path := range append(documents, filepath.Join(root, "README.md"), filepath.Join(root, "CONTRIBUTING.md"),
		filepath.Join(root, "CHANGELOG.md")) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?m)(?:^|`)make ([a-z-]+)").FindAllStringSubmatch(string(b), -1) {
			if targets++; !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s: there is no make %s", path, m[1])
			}
		}
		for _, m := range regexp.MustCompile("`([a-z-]+/[\\w./-]*)`").FindAllStringSubmatch(string(b), -1) {
			name := strings.TrimPrefix(m[1], "holdfast/") // an import path
			folder, rest, _ := strings.Cut(name, "/")
			_, err := os.Stat(filepath.Join(root, folder))
			if err != nil || folder == "data" || strings.Contains(rest, ".Test") {
				continue // not a folder of this repository, or a test (see TestSecurity)
			}
			if paths++; !there(root, name) {
				t.Errorf("%s: there is no %s", path, name)
			}
		}
	}
	if targets < 15 || paths < 40 {
		t.Errorf("%d targets, %d paths", targets, paths)
	}
}

// there reports whether a path is in the repository, or is made in it.
func there(root, path string) bool {
	_, err := os.Stat(filepath.Join(root, path))
	return err == nil || path == "web-example/dist"
}
