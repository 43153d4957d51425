package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The documents show the numbers of docs/bench/bench.json, which are those of a complete run.
func TestDocuments(t *testing.T) {
	r, err := measured("..")
	if err != nil {
		t.Fatal(err)
	}
	if r.Short || len(r.Rows) != len(rows) {
		t.Errorf("short: %v; %d rows of %d", r.Short, len(r.Rows), len(rows))
	}
	r.Finish(targets)
	files, err := rendered("..", r)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		if got, err := os.ReadFile(filepath.Join("..", path)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what %s says (%v): cd bench && go run . -redraw", path, docsJSON, err)
		}
	}
	// If another server is faster, the page says why.
	page := string(files[docsPage])
	_, why, _ := strings.Cut(page, "\n## Why\n")
	for _, name := range r.Behind() {
		if !strings.Contains(why, "`"+name+"`") {
			t.Errorf("%s does not say why %q is behind", docsPage, name)
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
