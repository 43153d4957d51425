package buildtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pageLock is a lock file without packages.
const pageLock = `{"name": "page", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "page"}}}`

// pages makes a folder with the scripts that build the page, and a page and a library that build quickly. put writes a
// file there; all files have the same time.
func pages(t *testing.T) (folder string, put func(name, text string)) {
	t.Helper()
	folder = t.TempDir()
	for _, name := range []string{"scripts", "web-example", "clients/js/src"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put = func(name, text string) {
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
	for _, script := range []string{"scripts/page.sh", "scripts/packages.sh", "scripts/tools.sh"} {
		put(script, read(t, script))
	}
	put("web-example/package.json", `{"name": "page", "version": "1.0.0", "scripts": {
		"client": "d=node_modules/@holdfast/client && mkdir -p $d && cp ../clients/js/*.tgz $d/.packed.tgz",
		"build": "echo built >>../builds && mkdir -p dist && cp index.html dist"}}`)
	put("web-example/package-lock.json", pageLock)
	put("clients/js/package.json", `{"name": "page", "version": "1.0.0", "scripts": {
		"build": "mkdir -p dist && cp src/index.ts holdfast-client.tgz"}}`)
	put("clients/js/package-lock.json", pageLock)
	for _, name := range []string{"src/index.ts", "build.mjs", "tsconfig.json", "README.md", "LICENSE"} {
		put("clients/js/"+name, "one")
	}
	put("web-example/index.html", "one")
	return folder, put
}

// The page is built again when a source or its package list has changed, and only then. Modification times don't
// matter: after a checkout many files have the same one.
func TestPageIsBuiltAgain(t *testing.T) {
	folder, put := pages(t)
	get := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
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
	put("web-example/package-lock.json", pageLock+"\n")
	page(4, "two")
	if get("web-example/node_modules/.installed-lock.json") != pageLock+"\n" {
		t.Error("the packages were not installed again")
	}
	put("clients/js/src/index.ts", "two")
	page(5, "two")
	if get("web-example/node_modules/@holdfast/client/.packed.tgz") != "two" {
		t.Error("the page has the library as it was before")
	}
}
