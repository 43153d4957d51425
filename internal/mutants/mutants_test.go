package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

func theGuards(t *testing.T) []guard {
	t.Helper()
	guards, err := readGuards("guards", regexp.MustCompile(""))
	if err != nil {
		t.Fatal(err)
	}
	if len(guards) == 0 {
		t.Fatal("there are no guards")
	}
	return guards
}

// Every patch applies to the current code, so that a change that moves guarded code must update its patch.
func TestGuardsApply(t *testing.T) {
	dir, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range theGuards(t) {
		if err := gitApply(dir, g.patch, "--check"); err != nil {
			t.Errorf("%s: %v", g.name, err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\+\+\+ b/(\S+)`).FindAllStringSubmatch(g.patch, -1) {
			if strings.HasSuffix(m[1], "_test.go") || strings.HasPrefix(m[1], "web-example/test/") {
				t.Errorf("%s changes a test, not what is tested", g.name)
			}
		}
	}
}

// Each test that a guard names exists.
func TestGuardsNameTests(t *testing.T) {
	for _, g := range theGuards(t) {
		for _, x := range g.tests {
			if !isThere(t, x) {
				t.Errorf("%s: there is no %s", g.name, x)
			}
		}
	}
}

func isThere(t *testing.T, x test) bool {
	t.Helper()
	paths, declared := []string{filepath.Join(root, x.where)}, "scene('"+x.name+"'"
	if !x.page() {
		var err error
		if paths, err = filepath.Glob(filepath.Join(root, x.where, "*_test.go")); err != nil {
			t.Fatal(err)
		}
		declared = "\nfunc " + x.name + "("
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), declared) {
			return true
		}
	}
	return false
}

func TestParseGuard(t *testing.T) {
	diff := "--- a/file/id.go\n+++ b/file/id.go\n@@ -1,1 +1,1 @@\n-a\n+b\n"
	g, err := parseGuard("Guard: ids are random.\nTest: ./file TestID\nTest: . TestPanic\n" +
		"Test: web-example/test/open.test.mjs: a token, taken: from the address\n\n" + diff)
	if err != nil {
		t.Fatal(err)
	}
	want := []test{{"./file", "TestID"}, {".", "TestPanic"}, {"web-example/test/open.test.mjs",
		"a token, taken: from the address"}}
	if g.what != "ids are random." || len(g.tests) != len(want) || g.patch != diff {
		t.Errorf("%+v", g)
	}
	for i, x := range want {
		if g.tests[i] != x {
			t.Errorf("%v, not %v", g.tests[i], x)
		}
	}
	if got := g.packages(); len(got) != 1 || got[0] != "./file" {
		t.Errorf("packages %q", got)
	}
	for _, bad := range []string{
		"Guard: no test.\n\n" + diff,
		"Test: ./file TestID\n\n" + diff,
		"Guard: no diff.\nTest: ./file TestID\n",
		"Guard: a subtest.\nTest: ./file TestID/SQLite\n\n" + diff,
		"Guard: another word.\nTests: ./file TestID\n\n" + diff,
		"Guard: no folder.\nTest: TestID\n\n" + diff,
	} {
		if _, err := parseGuard(bad); err == nil {
			t.Errorf("it was taken: %q", bad)
		}
	}
}
