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
	"testing"
)

type goPackage struct {
	ImportPath string
	Name       string
	GoFiles    []string
	Imports    []string
}

func packages(t *testing.T) (all []goPackage) {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Name,GoFiles,Imports", "holdfast/...").Output()
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

// arrows are the packages of the house that each package may import. A new arrow is
// drawn here, and in docs/ARCHITECTURE.md, first.
var arrows = map[string]string{
	"file":      "",
	"config":    "",
	"db":        "file internal/filelock",
	"storage":   "file",
	"auth":      "file",
	"access":    "file",
	"problem":   "file",
	"hooks":     "access auth file storage",
	"tus":       "access auth file hooks problem storage",
	"download":  "access auth file problem storage",
	"admin":     "auth file",
	"client":    "",
	"form":      "auth file hooks problem",
	"limit":     "file",
	"reconcile": "file storage",
	"importer":  "file storage",
	"events":    "file",
	"scan":      "file",
	"":          "access admin auth client config db download events file form hooks importer internal/filelock limit problem reconcile scan storage tus",
}

// owners are the packages that alone may import what begins so.
var owners = map[string][]string{
	"github.com/tus/tusd":         {"tus", "hooks"},
	"github.com/jackc/pgx":        {"db"},
	"modernc.org/":                {"db"},
	"database/sql":                {"db"},
	"github.com/aws/":             {"storage"},
	"github.com/versity/":         {"storage"},
	"github.com/redis/":           {"auth", "limit"},
	"github.com/pressly/goose":    {"db"},
	"github.com/gorilla/mux":      {""},
	"github.com/alecthomas/kong":  {""},
	"github.com/prometheus/":      {"", "download"},
	"github.com/golang-jwt/jwt/v": {"auth"},
	"github.com/MicahParks/":      {"auth"},
}

func TestArrows(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, "holdfast"), "/")
		if strings.HasPrefix(name, "internal/") && name != "internal/filelock" {
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
			if p.ImportPath == "holdfast/hooks" && name != "tusd.go" && bytes.Contains(src, []byte("tus/tusd")) {
				t.Errorf("hooks/%s imports tusd", name)
			}
			if n := bytes.Count(src, []byte("\n")); n > 400 {
				t.Errorf("%s/%s has %d lines", p.ImportPath, name, n)
			}
		}
	}
}

// docs/ARCHITECTURE.md names every folder, and only files that exist.
func TestArchitecture(t *testing.T) {
	text := read(t, "docs/ARCHITECTURE.md")
	entries, err := os.ReadDir(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		// data is what a run leaves; docs is where the text itself is.
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && e.Name() != "docs" && e.Name() != "data" && !strings.Contains(text, "\n    "+e.Name()+"/") {
			t.Errorf("%s/ is not in the tree", e.Name())
		}
	}
	for _, path := range regexp.MustCompile(`\b[a-z]+/[a-z0-9/_]+\.go\b`).FindAllString(text, -1) {
		if _, err := os.Stat(filepath.Join("..", "..", path)); err != nil {
			t.Errorf("%s does not exist", path)
		}
	}
}
