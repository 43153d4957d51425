package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The documents show the numbers of docs/bench, which are those of complete runs.
func TestDocuments(t *testing.T) {
	for _, table := range tables() {
		r, err := measured("..", table)
		if table != mainTable && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		whole := rows
		if table == onDisk {
			whole = onFiles(rows)
		}
		if r.Short || len(r.Rows) != len(whole) {
			t.Errorf("%s: short: %v; %d rows of %d", table, r.Short, len(r.Rows), len(whole))
		}
		files, err := rendered("..", table, r)
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range files {
			if got, err := os.ReadFile(filepath.Join("..", path)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s is not what %s says (%v): cd bench && go run . -redraw", path, numbersOf(table), err)
			}
		}
		// If another server is faster, the page says why.
		_, why, _ := strings.Cut(string(files[docsPage]), "\n## Why\n")
		for _, name := range r.Behind() {
			if !strings.Contains(why, "`"+name+"`") {
				t.Errorf("%s does not say why %q of %s is behind", docsPage, name, table)
			}
		}
	}
}

func TestBetween(t *testing.T) {
	const text = "a\n<!-- bench: x -->\nold\n<!-- /bench: x -->\nb\n"
	if got, err := between(text, "x", "new\n"); err != nil || got != strings.Replace(text, "old", "new", 1) {
		t.Errorf("%q, %v", got, err)
	}
	for _, broken := range []string{"", "<!-- bench: x -->\n", "<!-- /bench: x -->\n<!-- bench: x -->\n",
		strings.ReplaceAll(text, "x", "y")} {
		if got, err := between(broken, "x", "new"); !errors.Is(err, errNoMarks) {
			t.Errorf("%q became %q, %v", broken, got, err)
		}
	}
}
