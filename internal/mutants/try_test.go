package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A module with one guard, and tests that notice it in every possible way.
const (
	guarded = "package door\n\nfunc Open(key string) bool {\n\tif key != \"right\" {\n\t\treturn false\n\t}\n\treturn " +
		"true\n}\n"
	tested = `package door

import (
	"testing"
	"time"
)

func TestClosed(t *testing.T) {
	if Open("wrong") {
		t.Error("open")
	}
}

func TestOpen(t *testing.T) {
	if !Open("right") {
		t.Error("closed")
	}
}

func TestPanics(t *testing.T) {
	if Open("wrong") {
		go panic("open")
		time.Sleep(time.Hour)
	}
}

func TestHangs(t *testing.T) {
	if Open("wrong") {
		time.Sleep(time.Hour)
	}
}

func TestSkips(t *testing.T) {
	if Open("wrong") {
		t.Skip("open")
	}
}

func TestFailsAlways(t *testing.T) { t.Error("always") }

func TestSkipsAlways(t *testing.T) { t.Skip("always") }
`
	out = "--- a/door.go\n+++ b/door.go\n@@ -1,8 +1,5 @@\n package door\n \n func Open(key string) bool {\n" +
		"-\tif key != \"right\" {\n-\t\treturn false\n-\t}\n \treturn true\n }\n"
)

// A guard is killed only by a test that ran, failed, and passes otherwise.
func TestVerdicts(t *testing.T) {
	tr := &tree{dir: t.TempDir()}
	for name, text := range map[string]string{"go.mod": "module door\n\ngo 1.26\n", "door.go": guarded,
		"door_test.go": tested} {
		if err := os.WriteFile(filepath.Join(tr.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const long, short = 5 * time.Minute, 3 * time.Second
	cases := []struct {
		want  string
		tests string
		patch string
		limit time.Duration
	}{
		{killed, "TestClosed", out, long},
		{killed, "TestPanics", out, long},
		{survived, "TestOpen", out, long},
		{survived, "TestClosed TestOpen", out, long},
		{notDecided, "TestHangs", out, short},
		{notRun, "TestSkips", out, long},
		{notRun, "TestSkipsAlways", out, long},
		{notRun, "TestThatIsNotThere", out, long},
		{failsAnyway, "TestFailsAlways", out, long},
		{notApplied, "TestClosed", strings.Replace(out, "return false", "return true", 1), long},
		{notCompiled, "TestClosed", strings.Replace(out, "@@ -1,8 +1,5 @@", "@@ -1,8 +1,6 @@", 1) + "+wrong\n", long},
	}
	var guards []guard
	for _, c := range cases {
		g := guard{patch: c.patch}
		for _, name := range strings.Fields(c.tests) {
			g.tests = append(g.tests, test{where: ".", name: name})
		}
		guards = append(guards, g)
	}
	before := baseline(t.Context(), tr, guards, long)
	for i, c := range cases {
		if v := try(t.Context(), tr, guards[i], before, c.limit); v.result != c.want {
			t.Errorf("%s: %s, not %s\n%s", c.tests, v.result, c.want, v.detail)
		}
		b, err := os.ReadFile(filepath.Join(tr.dir, "door.go"))
		if err != nil || string(b) != guarded {
			t.Fatalf("after %s the tree is %q, %v", c.tests, b, err)
		}
	}
}

// The output of node's runner for a scene.
func TestScene(t *testing.T) {
	const tap = "TAP version 13\n# Subtest: a file (1.5 MB)\nok 1 - a file (1.5 MB)\n  ---\n  ...\n" +
		"not ok 2 - another file\nok 3 - a third file # SKIP\n"
	for name, want := range map[string]state{
		"a file (1.5 MB)": passed, "another file": failed, "a third file": absent, "file": absent, "a file": absent,
	} {
		if got := scene(tap, name); got != want {
			t.Errorf("%q: %d, not %d", name, got, want)
		}
	}
}

// Runs at the same time have folders of their own, and later ones have the same again.
func TestFoldersOfTrees(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir()) // of macOS
	one, err := newTree()
	if err != nil {
		t.Fatal(err)
	}
	other, err := newTree()
	if err != nil {
		t.Fatal(err)
	}
	defer other.remove()
	if one.dir == other.dir {
		t.Errorf("both have %s", one.dir)
	}
	one.remove()
	again, err := newTree()
	if err != nil {
		t.Fatal(err)
	}
	defer again.remove()
	if again.dir != one.dir {
		t.Errorf("%s was free, and a tree got %s", one.dir, again.dir)
	}
}
