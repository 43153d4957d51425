package doctest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every promise in docs/SECURITY.md names tests, and each of them exists.
func TestSecurity(t *testing.T) {
	rows := 0
	for line := range strings.Lines(read(t, "docs/SECURITY.md")) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 3 || strings.HasPrefix(line, "| threat ") {
			continue
		}
		rows++
		named := 0
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[2], -1) {
			named++
			if path, scene, browser := strings.Cut(m[1], ": "); browser {
				if !strings.Contains(read(t, path), "scene('"+scene) {
					t.Errorf("%s has no scene %q", path, scene)
				}
				continue
			}
			folder, name, _ := strings.Cut(m[1], ".")
			if !hasTest(t, folder, name) {
				t.Errorf("there is no %s", m[1])
			}
		}
		if named == 0 {
			t.Errorf("nothing shows it: %s", line)
		}
	}
	if rows < 40 {
		t.Errorf("%d threats", rows)
	}
}

// hasTest reports whether a folder's tests have a function of this name.
func hasTest(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`(?m)^func ` + regexp.QuoteMeta(name) + `\(`).Match(b) {
			return true
		}
	}
	return false
}

// A comparison that ends at the first wrong byte shows an attacker how many bytes were right. No source of auth/
// compares signatures, hashes or keys with == or bytes.Equal.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "auth", "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	secret := `(?i:signature|secret|mac\(|hash|digest|sum)`
	byItself := regexp.MustCompile(`bytes\.(Equal|Compare)\(|reflect\.DeepEqual\(|\w*` + secret +
		`\w* [!=]= [^"n]|[^"] [!=]= \w*` + secret)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if code, _, _ := strings.Cut(line, "//"); byItself.MatchString(code) {
				t.Errorf("%s: %s", path, line)
			}
		}
	}
	if !strings.Contains(read(t, "auth/link.go"), "hmac.Equal(signature, mac(") {
		t.Error("auth/link.go does not compare signatures by hmac.Equal")
	}
}

// packagesAreFixed checks the list of a folder's npm packages.
func packagesAreFixed(t *testing.T, folder string) {
	t.Helper()
	var lock struct {
		Packages map[string]struct {
			Resolved, Integrity string
			Link                bool
		}
	}
	if err := json.Unmarshal([]byte(read(t, folder+"/package-lock.json")), &lock); err != nil {
		t.Fatal(err)
	}
	for name, p := range lock.Packages {
		if name != "" && !p.Link && !strings.HasPrefix(p.Integrity, "sha512-") {
			t.Errorf("package-lock.json of %s: %s has no hash", folder, name)
		}
	}
	if len(lock.Packages) < 10 {
		t.Errorf("package-lock.json of %s has %d packages", folder, len(lock.Packages))
	}
	var pages struct{ Dependencies, DevDependencies map[string]string }
	if err := json.Unmarshal([]byte(read(t, folder+"/package.json")), &pages); err != nil {
		t.Fatal(err)
	}
	exact := regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	for _, all := range []map[string]string{pages.Dependencies, pages.DevDependencies} {
		for name, version := range all {
			if !exact.MatchString(version) {
				t.Errorf("package.json of %s: %s is %q", folder, name, version)
			}
		}
	}
}

// Every version is pinned, and has a hash where the package manager supports one.
func TestDependenciesAreFixed(t *testing.T) {
	for _, folder := range []string{"clients/js", "web-example"} {
		packagesAreFixed(t, folder)
	}
	for _, list := range []string{"internal/doctest/testdata/python.txt", "clients/django/requirements-test.txt",
		"clients/django/requirements-oldest.txt", "internal/test/stores/servers.txt"} {
		for line := range strings.Lines(read(t, list)) {
			if !regexp.MustCompile(`^(#.*|[\w-]+(\[\w+\])?==[\w.]+( ; python_\w+ < "[\d.]+")?)\n$`).MatchString(line) {
				t.Errorf("%s: %s", list, line)
			}
		}
	}
	for _, module := range []string{"", "bench/"} {
		sums := read(t, module+"go.sum")
		required := regexp.MustCompile(`(?m)^(?:require )?\s*(\S+\.\S+/\S+|\S+\.\S+) (v\S+)`)
		for _, m := range required.FindAllStringSubmatch(read(t, module+"go.mod"), -1) {
			if !strings.Contains(sums, m[1]+" "+m[2]) {
				t.Errorf("%sgo.sum does not have %s %s", module, m[1], m[2])
			}
		}
		if strings.Contains(read(t, module+"go.mod"), "\nreplace ") {
			t.Errorf("%sgo.mod replaces something", module)
		}
	}
}
