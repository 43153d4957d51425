package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the table of settings into docs/OPERATIONS.md")

// The table in docs/ lists exactly the settings in the code. `go test ./config -update` writes it.
func TestOperationsHasTheSettings(t *testing.T) {
	const begin, end = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"
	path := filepath.Join("..", "docs", "OPERATIONS.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(b), begin)
	is, after, ends := strings.Cut(rest, end)
	if !found || !ends {
		t.Fatalf("%s lacks its marks", path)
	}
	want := markdown(Settings())
	if is == want {
		return
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s has other settings than package config (go test ./config -update writes them):\n%s", path,
		cmp.Diff(want, is))
}

func markdown(settings []Setting) string {
	var b strings.Builder
	group := ""
	for _, s := range settings {
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(&b, "\n### %s\n\n| name | default | meaning |\n|---|---|---|\n", group)
		}
		otherwise := ""
		if s.Default != "" {
			otherwise = "`" + s.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.Name, otherwise, s.Meaning)
	}
	return b.String() + "\n"
}

// Whatever is set, only documented variables are read, and each is documented once, with a meaning.
func TestSettingsAreAllThatIsRead(t *testing.T) {
	told := map[string]bool{}
	for _, s := range Settings() {
		if told[s.Name] || s.Meaning == "" || s.Group == "" {
			t.Errorf("%+v", s)
		}
		told[s.Name] = true
	}
	for _, storage := range []string{"embedded", "local", "google", "s3", "nonsense"} {
		_, _ = Load(func(name string) string {
			if !told[name] {
				t.Errorf("%s is read with STORAGE_TYPE=%s, and not told", name, storage)
			}
			switch {
			case name == "STORAGE_TYPE":
				return storage
			case strings.HasSuffix(name, "_URL"), strings.HasSuffix(name, "_ENDPOINT"):
				return "http://host"
			}
			return "x"
		})
	}
}
