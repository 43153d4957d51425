package buildtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The page is built again when a source or the list of its packages has changed, and only then. What time a file has
// does not matter: a checkout gives many files the same.
func TestPageIsBuiltAgain(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"scripts", "web-example"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	get := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, script := range []string{"scripts/page.sh", "scripts/packages.sh", "scripts/tools.sh"} {
		put(script, read(t, script))
	}
	put("web-example/package.json", `{"name": "page", "version": "1.0.0", "scripts": {
		"build": "echo built >>../builds && mkdir -p dist && cp index.html dist"}}`)
	const lock = `{"name": "page", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "page"}}}`
	put("web-example/package-lock.json", lock)
	put("web-example/index.html", "one")
	page := func(builds int, shows string) {
		t.Helper()
		if out, err := exec.Command(filepath.Join(folder, "scripts", "page.sh")).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if n := strings.Count(get("builds"), "built"); n != builds || get("web-example/dist/index.html") != shows {
			t.Errorf("built %d times, want %d; it shows %q", n, builds, get("web-example/dist/index.html"))
		}
	}
	page(1, "one")
	page(1, "one")
	put("web-example/index.html", "two")
	page(2, "two")
	put("web-example/new.ts", "")
	page(3, "two")
	if err := os.Chtimes(filepath.Join(folder, "web-example/index.html"), time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	page(3, "two")
	put("web-example/package-lock.json", lock+"\n")
	page(4, "two")
	if get("web-example/node_modules/.installed-lock.json") != lock+"\n" {
		t.Error("the packages were not installed again")
	}
}
