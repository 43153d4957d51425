package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"holdfast/bench/report"
)

// The documents that show the numbers, from the repository's root.
const (
	docsJSON  = "docs/bench/bench.json"
	docsPage  = "docs/BENCHMARKS.md"
	docsFront = "README.md"
)

// part is a text between two marks of a document.
type part struct {
	path, name string
	write      func(io.Writer) error
}

// documents writes the report, and the parts of documents that depend on it, into the repository below root.
func documents(root string, r *report.Report) error {
	if err := os.MkdirAll(filepath.Join(root, filepath.Dir(docsJSON)), 0o755); err != nil {
		return err
	}
	files, err := rendered(root, r)
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

// rendered returns every file that shows the report, as it must be.
func rendered(root string, r *report.Report) (map[string][]byte, error) {
	files := map[string][]byte{}
	for path, write := range map[string]func(io.Writer) error{
		docsJSON:               r.WriteJSON,
		"docs/bench/light.svg": func(w io.Writer) error { return r.WritePlot(w, report.Light()) },
		"docs/bench/dark.svg":  func(w io.Writer) error { return r.WritePlot(w, report.Dark()) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return nil, err
		}
		files[path] = b.Bytes()
	}
	for _, p := range []part{
		{docsPage, "tables", r.WriteMarkdown},
		{docsPage, "behind", r.WriteBehind},
		{docsFront, "summary", r.WriteSummary},
	} {
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

// redraw writes the documents again from the report that they contain.
func redraw(root string) error {
	r, err := measured(root)
	if err != nil {
		return err
	}
	r.Finish(targets)
	return documents(root, r)
}

// measured returns the report that the documents show.
func measured(root string) (_ *report.Report, err error) {
	f, err := os.Open(filepath.Join(root, docsJSON))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return report.ReadJSON(f)
}
