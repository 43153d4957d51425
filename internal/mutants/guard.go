package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// folder is the folder of the patches, relative to the module's root.
const folder = "internal/mutants/guards"

// guard is one patch: the check that it removes, and the tests that must notice.
type guard struct {
	name  string // of the file, without .patch
	what  string // one sentence: what is guarded
	tests []test
	patch string // the diff
}

// test is a top-level test of a package, or a scene of the pages' tests.
type test struct {
	where string // ./download, or web-example/test/open.test.mjs
	name  string // TestOpen, or the scene's whole name
}

func (t test) String() string {
	if t.page() {
		return t.where + ": " + t.name
	}
	return strings.TrimPrefix(t.where, "./") + "." + t.name
}

// page reports whether it is one of the tests of the pages, which node runs.
func (t test) page() bool { return strings.HasSuffix(t.where, ".mjs") }

// readGuards reads the patches whose names match, sorted by name.
func readGuards(dir string, wanted *regexp.Regexp) ([]guard, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.patch"))
	if err != nil {
		return nil, err
	}
	var all []guard
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".patch")
		if !wanted.MatchString(name) {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		g, err := parseGuard(string(b))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		g.name = name
		all = append(all, g)
	}
	return all, nil
}

var goTest = regexp.MustCompile(`^(\.(?:/[\w./-]+)?) (Test\w+|Fuzz\w+)$`)
var pageTest = regexp.MustCompile(`^(web-example/test/[\w.-]+\.mjs): (.+)$`)

// parseGuard reads "Guard:" and "Test:" lines, and the diff below them.
func parseGuard(text string) (guard, error) {
	var g guard
	begin := regexp.MustCompile(`(?m)^(--- |diff --git )`).FindStringIndex(text)
	if begin == nil {
		return g, fmt.Errorf("there is no diff")
	}
	g.patch = text[begin[0]:]
	for line := range strings.Lines(text[:begin[0]]) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "":
		case "Guard":
			g.what = value
		case "Test":
			m := goTest.FindStringSubmatch(value)
			if m == nil {
				m = pageTest.FindStringSubmatch(value)
			}
			if m == nil {
				return g, fmt.Errorf("what is the test %q?", value)
			}
			g.tests = append(g.tests, test{where: m[1], name: m[2]})
		default:
			return g, fmt.Errorf("what is %q?", strings.TrimSpace(line))
		}
	}
	if g.what == "" || len(g.tests) == 0 {
		return g, errors.New("lines that begin with Guard: and Test: are missing")
	}
	return g, nil
}

// packages returns the folders of the Go packages that the patch changes.
func (g guard) packages() (all []string) {
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\+\+\+ b/(\S+)\.go$`).FindAllStringSubmatch(g.patch, -1) {
		if dir := "./" + filepath.ToSlash(filepath.Dir(m[1])); !seen[dir] {
			seen[dir] = true
			all = append(all, dir)
		}
	}
	return all
}
