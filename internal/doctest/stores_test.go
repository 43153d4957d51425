package doctest

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/test/s3test"
)

var update = flag.Bool("update", false, "write the table of stores into docs/STORES.md")

// columns are the tests of a store in the order of the table.
var columns = [...]string{"suite", "uploads", "deferred length", "concatenation", "termination", "kill -9", "ranges",
	"forms", "signed links", "redirects", "delete beside a download", "import", "direct uploads", "reconcile"}

// The table in docs/STORES.md is what `make stores` has noted in docs/stores.json. `make stores` writes it.
func TestStoresTable(t *testing.T) {
	const page, begin, end = "docs/STORES.md", "<!-- stores: begin -->\n", "<!-- stores: end -->\n"
	results, err := s3test.ReadResults(filepath.Join("..", "..", "docs", "stores.json"))
	if err != nil {
		t.Fatal(err)
	}
	text := read(t, page)
	before, rest, found := strings.Cut(text, begin)
	is, after, ends := strings.Cut(rest, end)
	if !found || !ends {
		t.Fatalf("%s lacks its marks", page)
	}
	want := storesTable(t, results)
	if *update && is != want {
		if err := os.WriteFile(filepath.Join("..", "..", page), []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if is != want {
		t.Errorf("%s has another table than docs/stores.json: `make stores` writes it:\n%s", page, want)
	}
	for name, r := range results {
		_, section, found := strings.Cut(after, "### "+name+"\n")
		if !found {
			t.Errorf("%s has no section %q", page, name)
		}
		section, _, _ = strings.Cut(section, "\n#")
		for test, how := range r.Tests {
			if how == s3test.Failed && !strings.Contains(section, test) {
				t.Errorf("%s: %s has failed, and its section does not say why", name, test)
			}
		}
	}
}

// storesTable has a column for each store, and a row for each test.
func storesTable(t *testing.T, results map[string]s3test.Result) string {
	t.Helper()
	var b strings.Builder
	row := func(head string, cell func(s3test.Program, s3test.Result) string) {
		b.WriteString("| " + head + " |")
		for _, p := range s3test.Programs() {
			r, known := results[p.Name]
			if !known {
				t.Errorf("docs/stores.json has nothing of %s", p.Name)
			}
			b.WriteString(" " + cell(p, r) + " |")
		}
		b.WriteByte('\n')
	}
	row("", func(p s3test.Program, _ s3test.Result) string { return p.Name })
	row("---", func(s3test.Program, s3test.Result) string { return "---" })
	row("version", func(_ s3test.Program, r s3test.Result) string { return r.Version })
	row("tried on", func(_ s3test.Program, r s3test.Result) string { return r.Date })
	row("`S3_KIND`", func(p s3test.Program, _ s3test.Result) string {
		return cmp.Or(strings.Trim(fmt.Sprintf("`%s`", p.Kind), "`"), "not set")
	})
	for _, test := range columns {
		row(test, func(p s3test.Program, r s3test.Result) string {
			return cmp.Or(r.Tests[test], "not run")
		})
	}
	for name, r := range results {
		for test := range r.Tests {
			if !slices.Contains(columns[:], test) {
				t.Errorf("docs/stores.json has a test of %s that the table lacks: %s", name, test)
			}
		}
	}
	return b.String()
}
