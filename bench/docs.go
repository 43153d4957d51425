package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"holdfast/bench/report"
)

// The documents that show the numbers, from the repository's root.
const (
	docsPage  = "docs/BENCHMARKS.md"
	docsFront = "README.md"
)

// The documents show several runs, by these names: each has a file of its numbers, and a place between marks. The main
// one also has plots, targets and a summary.
const (
	mainTable   = "bench"
	othersTable = "others"
)

func tables() []string { return []string{mainTable, onSeaweedFS, onDisk, othersTable} }

// numbersOf returns the file of a table's numbers.
func numbersOf(table string) string { return "docs/bench/" + table + ".json" }

// part is a text between two marks of a document.
type part struct {
	path, name string
	write      func(io.Writer) error
}

// documents writes the report of a table, and the parts of documents that depend on it, into the repository below root.
func documents(root, table string, r *report.Report) error {
	if err := os.MkdirAll(filepath.Join(root, filepath.Dir(numbersOf(table))), 0o755); err != nil {
		return err
	}
	files, err := rendered(root, table, r)
	if err != nil {
		return err
	}
	for path, content := range files {
		if err := os.WriteFile(filepath.Join(root, path), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// shows returns the whole files that show the report of a table, and the parts of others.
func shows(table string, r *report.Report) (whole map[string]func(io.Writer) error, parts []part) {
	whole = map[string]func(io.Writer) error{numbersOf(table): r.WriteJSON}
	if table != mainTable {
		return whole, []part{{docsPage, table, r.WriteBrief}}
	}
	whole["docs/bench/light.svg"] = func(w io.Writer) error { return r.WritePlot(w, report.Light()) }
	whole["docs/bench/dark.svg"] = func(w io.Writer) error { return r.WritePlot(w, report.Dark()) }
	return whole, []part{
		{docsPage, "tables", r.WriteMarkdown},
		{docsPage, "behind", r.WriteBehind},
		{docsPage, "bounds", r.WriteBounds},
		{docsFront, "summary", r.WriteSummary},
	}
}

// rendered returns every file that shows the report of a table, as it must be.
func rendered(root, table string, r *report.Report) (map[string][]byte, error) {
	files := map[string][]byte{}
	whole, parts := shows(table, r)
	for path, write := range whole {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return nil, err
		}
		files[path] = b.Bytes()
	}
	for _, p := range parts {
		if files[p.path] == nil {
			text, err := os.ReadFile(filepath.Join(root, p.path))
			if err != nil {
				return nil, err
			}
			files[p.path] = text
		}
		var b bytes.Buffer
		if err := p.write(&b); err != nil {
			return nil, err
		}
		text, err := between(string(files[p.path]), p.name, b.String())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.path, err)
		}
		files[p.path] = []byte(text)
	}
	return files, nil
}

var errNoMarks = errors.New("the marks are missing")

// between replaces the text between the marks of that name.
func between(text, name, content string) (string, error) {
	begin, end := "<!-- bench: "+name+" -->\n", "<!-- /bench: "+name+" -->"
	before, rest, found := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "", fmt.Errorf("%s: %w", name, errNoMarks)
	}
	return before + begin + content + end + after, nil
}

// redraw writes the documents again from the reports that they contain.
func redraw(root string) error {
	for _, table := range tables() {
		r, err := measured(root, table)
		if table != mainTable && errors.Is(err, fs.ErrNotExist) {
			continue // it was not measured yet
		}
		if err != nil {
			return err
		}
		if err := documents(root, table, r); err != nil {
			return err
		}
	}
	return nil
}

// measured returns the report of a table that the documents show.
func measured(root, table string) (r *report.Report, err error) {
	f, err := os.Open(filepath.Join(root, numbersOf(table)))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if r, err = report.ReadJSON(f); err == nil {
		r.Finish(targetsOf(table))
	}
	return r, err
}
