package doctest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

type goPackage struct {
	ImportPath string
	Name       string
	GoFiles    []string
	Imports    []string
}

var listed = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("go", "list", "-json=ImportPath,Name,GoFiles,Imports", "holdfast/...").Output()
})

func packages(t *testing.T) (all []goPackage) {
	t.Helper()
	out, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// arrows are the packages of this module that each package may import. A new import is added here and in
// docs/ARCHITECTURE.md first.
var arrows = map[string]string{
	"file":          "",
	"config":        "",
	"db":            "file internal/cache internal/filelock",
	"storage":       "file",
	"auth":          "file internal/cache internal/redisclient",
	"access":        "file internal/cache",
	"problem":       "file",
	"digest":        "file",
	"direct":        "access auth digest file problem reqbody storage upload",
	"upload":        "access file internal/chore storage upload/memory",
	"upload/memory": "file",
	"hooks":         "access auth file storage upload",
	"tus":           "access auth digest file problem reqbody upload",
	"resumable":     "access auth digest file problem reqbody upload",
	"reqbody":       "auth digest file",
	"download":      "access auth digest file internal/cache problem reqbody storage",
	"client":        "internal/filelock internal/regular",
	"form":          "auth digest file problem reqbody upload",
	"limit":         "file internal/cache internal/redisclient",
	"openapi":       "",
	"openapi/page":  "",
	"reconcile":     "file internal/chore storage",
	"importer":      "file internal/chore internal/regular storage",
	"events":        "file internal/chore",
	"scan":          "file",
	"edge":          "access auth config db direct download file form internal/version limit openapi problem reqbody",
	"service": "access auth config db direct download edge events file form hooks internal/filelock internal/otlp limit " +
		"openapi problem reconcile reqbody resumable scan storage storage/disk storage/s3 tus upload",
	"cli": "auth client config db edge file importer internal/regular internal/version reconcile service storage " +
		"storage/disk storage/s3",
	"": "cli",

	"conformance": "",

	"storage/s3":          "file storage",
	"storage/disk":        "file internal/filelock storage",
	"storage/storagetest": "file storage",
}

// shared are the packages in internal/ that belong to the program; the others are test support.
var shared = []string{"internal/cache", "internal/chore", "internal/filelock", "internal/otlp",
	"internal/redisclient", "internal/regular", "internal/version"}

// owners are the only packages that may import libraries with this prefix.
var owners = map[string][]string{
	"github.com/tus/tusd":         {"tus"},
	"github.com/jackc/pgx":        {"db"},
	"modernc.org/":                {"db"},
	"database/sql":                {"db"},
	"github.com/aws/":             {"storage/s3"},
	"github.com/gomodule/redigo":  {"internal/redisclient"},
	"github.com/pressly/goose":    {"db"},
	"github.com/gorilla/mux":      {"edge"},
	"github.com/spf13/":           {"cli"},
	"github.com/golang-jwt/jwt/v": {"auth"},
	"github.com/yuin/goldmark":    {"openapi/page"},
	"go.yaml.in/yaml/":            {"openapi"},
	"github.com/MicahParks/":      {"auth"},
}

func TestArrows(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, "holdfast"), "/")
		if strings.HasPrefix(name, "internal/") && !slices.Contains(shared, name) {
			continue // test support
		}
		allowed := strings.Fields(arrows[name])
		for _, imported := range p.Imports {
			if inside, ok := strings.CutPrefix(imported, "holdfast/"); ok && !slices.Contains(allowed, inside) {
				t.Errorf("%q imports %q", name, inside)
			}
			for prefix, who := range owners {
				if strings.HasPrefix(imported, prefix) && !slices.Contains(who, name) {
					t.Errorf("%q imports %s, which is %q's", name, imported, who)
				}
			}
			if name == "file" && strings.Contains(imported, ".") && !strings.HasPrefix(imported, "golang.org/x/text/") {
				t.Errorf("file imports %s", imported)
			}
		}
		if p.Name == "utils" || p.Name == "common" {
			t.Errorf("%s says nothing about what is in it", p.ImportPath)
		}
	}
}

// observers are the libraries of metrics and traces. A package imports them in a file of its own, so that the rest of
// it can be read without them.
var observers = map[string][]string{
	"github.com/prometheus/": {"metrics.go", "admin.go"},
	"go.opentelemetry.io/":   {"trace.go", "traces.go"},
}

func TestObservers(t *testing.T) {
	for _, p := range packages(t) {
		dir := filepath.Join("..", "..", strings.TrimPrefix(p.ImportPath, "holdfast"))
		for _, name := range p.GoFiles {
			src, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			for prefix, files := range observers {
				if bytes.Contains(src, []byte("\""+prefix)) && !slices.Contains(files, name) {
					t.Errorf("%s/%s imports %s, which is for %s", p.ImportPath, name, prefix, strings.Join(files, " and "))
				}
			}
		}
	}
}

func TestSources(t *testing.T) {
	for _, p := range packages(t) {
		dir := filepath.Join("..", "..", strings.TrimPrefix(p.ImportPath, "holdfast"))
		for _, name := range p.GoFiles {
			src, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if regexp.MustCompile(`(?m)^func init\(\)`).Match(src) {
				t.Errorf("%s/%s has an init function", p.ImportPath, name)
			}
			if n := bytes.Count(src, []byte("\n")); n > 400 {
				t.Errorf("%s/%s has %d lines", p.ImportPath, name, n)
			}
		}
	}
}

// docs/ARCHITECTURE.md shows exactly the arrows of this test.
func TestArrowsAreDrawn(t *testing.T) {
	text := read(t, "docs/ARCHITECTURE.md")
	_, table, _ := strings.Cut(text, "\n| package | may import |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	drawn := map[string]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if len(cells) != 2 {
			t.Fatalf("%q", line)
		}
		drawn[strings.TrimSuffix(cells[0], "/")] = cells[1]
	}
	for name, allowed := range arrows {
		want := strings.ReplaceAll(allowed, " ", ", ")
		if name == "" {
			name = "main"
		}
		if want == "" {
			want = "nothing"
		}
		if drawn[name] != want {
			t.Errorf("%s: the text says %q, the rule is %q", name, drawn[name], want)
		}
		delete(drawn, name)
	}
	for name := range drawn {
		t.Errorf("there is no rule for %s", name)
	}
	for prefix, who := range owners {
		if !strings.Contains(text, "| `"+prefix+"` | "+strings.Join(named(who), ", ")+" |") {
			t.Errorf("the text does not say who imports %s: %q", prefix, named(who))
		}
	}
}

// named returns packages by the names that the page uses.
func named(packages []string) (all []string) {
	for _, p := range packages {
		if p == "" {
			p = "main"
		}
		all = append(all, p)
	}
	return all
}

// Every package has its arrows.
func TestEveryPackageHasArrows(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, "holdfast"), "/")
		seen[name] = true
		if _, ok := arrows[name]; !ok && !strings.HasPrefix(name, "internal/") {
			t.Errorf("%q has no arrows", name)
		}
	}
	for name := range arrows {
		if !seen[name] {
			t.Errorf("there is no %q", name)
		}
	}
}

// The tree in docs/ARCHITECTURE.md has every folder and every file of package main, and no others. All other paths
// that the page names exist.
func TestArchitecture(t *testing.T) {
	text := read(t, "docs/ARCHITECTURE.md")
	root := filepath.Join("..", "..")
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	_, tree, _ := strings.Cut(text, "## The tree\n")
	tree, _, _ = strings.Cut(tree, "\n## ")
	made := made(t)
	for _, e := range entries {
		name := e.Name()
		// docs contains the page itself.
		if e.IsDir() && !strings.HasPrefix(name, ".") && name != "docs" && !made["/"+name] &&
			!strings.Contains(tree, "\n    "+name+"/ ") {
			t.Errorf("%s/ is not in the tree", name)
		}
		if filepath.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go") &&
			!regexp.MustCompile(`(?m)^    .*\b`+regexp.QuoteMeta(name)).MatchString(tree) {
			t.Errorf("%s is not in the tree", name)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^    ([a-z-]+)/ `).FindAllStringSubmatch(tree, -1) {
		exists(t, root, m[1])
	}
	paths := regexp.MustCompile(`[\w.-]+(?:/[\w.-]+)*\.(?:go|ts|mjs|md|html|yml|conf)\b`)
	for _, path := range paths.FindAllString(text, -1) {
		if !strings.Contains(path, "/") {
			continue // of package main, or in a sentence about its folder
		}
		exists(t, root, path)
	}
	_, look, _ := strings.Cut(text, "\n## Where do I look for")
	look, _, _ = strings.Cut(look, "\n## ")
	rows := 0
	for line := range strings.Lines(look) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 2 || strings.HasPrefix(line, "| what | where |") {
			continue
		}
		rows++
		if found := regexp.MustCompile(`[\w.-]+(?:/[\w.-]*)+|\w+\.go`).FindString(cells[1]); found == "" {
			t.Errorf("%q names no place", cells[0])
		}
		for _, path := range regexp.MustCompile(`\b\w+\.go\b|\b[a-z][\w-]*/(?:[\w./-]*\w)?`).FindAllString(cells[1], -1) {
			exists(t, root, path)
		}
	}
	if rows < 30 {
		t.Errorf("%d rows say where to look", rows)
	}
}

func exists(t *testing.T, root, path string) {
	t.Helper()
	// Sentences about the pages' library use paths in its own folder.
	for _, from := range []string{"", "docs", "web-example"} {
		if _, err := os.Stat(filepath.Join(root, from, path)); err == nil {
			return
		}
	}
	t.Errorf("%s does not exist", path)
}
