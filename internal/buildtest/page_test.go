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

// pagePackage is a page whose build copies a file.
const pagePackage = `{"name": "page", "version": "1.0.0", "scripts": {
	"client": "d=node_modules/@holdfast/client && mkdir -p $d && cp ../clients/js/*.tgz $d/.packed.tgz",
	"build": "echo built >>../builds && mkdir -p dist && cp index.html dist"}}`

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
	put("web-example/package.json", pagePackage)
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

// With FRESH, which CI sets, packages are fetched again, into an empty cache and an empty home, and a warning of npm is
// an error.
func TestFreshPackages(t *testing.T) {
	folder, put := pages(t)
	put("scripts/fresh.sh", read(t, "scripts/fresh.sh"))
	home := t.TempDir()
	run := func(script string, args ...string) (string, error) {
		cmd := exec.Command(filepath.Join(folder, "scripts", script), args...)
		cmd.Env = append(os.Environ(), "FRESH=yes", "HOME="+home, "npm_config_cache="+filepath.Join(home, "cache"))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	fetched := func(complaint string) {
		t.Helper()
		out, err := run("page.sh")
		if (err == nil) != (complaint == "") || !strings.Contains(out, complaint) {
			t.Errorf("%v, want %q\n%s", err, complaint, out)
		}
		saw, _ := os.ReadFile(filepath.Join(folder, "saw"))
		if !strings.Contains(string(saw), "cache") || strings.Contains(string(saw), home) {
			t.Errorf("npm ci ran with %q", saw)
		}
		put("saw", "")
	}
	says := strings.Replace(pagePackage, `"build"`,
		`"preinstall": "env | grep -iE '^(home|npm_config_cache)=' >../saw", "build"`, 1)
	put("web-example/package.json", says)
	fetched("")
	if out, err := run("fresh.sh", "forget"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	fetched("")
	put("web-example/package.json", strings.Replace(says, `{`, `{"engines": {"node": ">=99"}, `, 1))
	put("web-example/package-lock.json", strings.Replace(pageLock, `{"": {`, `{"": {"engines": {"node": ">=99"}, `, 1))
	fetched("npm warns")
}
