package doctest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
	"unicode/utf8"
)

// A line fits the screen's width, a function its height, and a file can be read at once. Tests too.
const (
	longestLine     = 120 // characters
	longestFunction = 60  // lines
	longestFile     = 350 // lines
)

func TestSizes(t *testing.T) {
	files := 0
	eachSource(t, ".go", func(path, text string) {
		files++
		for _, fault := range tooLong(t, text) {
			t.Errorf("%s:%s", path, fault)
		}
	})
	if files < 100 {
		t.Errorf("%d files", files)
	}
}

// tooLong lists what is too long in a source, each with its line.
func tooLong(t *testing.T, source string) (faults []string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(source, "\n"), "\n")
	if len(lines) > longestFile {
		faults = append(faults, fmt.Sprintf("1: %d lines", len(lines)))
	}
	for i, line := range lines {
		if n := utf8.RuneCountInString(line); n > longestLine {
			faults = append(faults, fmt.Sprintf("%d: %d characters", i+1, n))
		}
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, "", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range parsed.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok {
			from, to := set.Position(f.Pos()).Line, set.Position(f.End()).Line
			if n := to - from + 1; n > longestFunction {
				faults = append(faults, fmt.Sprintf("%d: %s has %d lines", from, f.Name.Name, n))
			}
		}
	}
	return faults
}

func TestTooLong(t *testing.T) {
	short := "package p\n\nfunc f() {\n" + strings.Repeat("\tf()\n", longestFunction-2) + "}\n"
	for _, c := range []struct {
		what, source string
		want         int
	}{
		{"all of it fits", short + "// " + strings.Repeat("é", longestLine-3) + "\n", 0},
		{"a function of a line too many", strings.Replace(short, "\tf()\n", "\tf()\n\tf()\n", 1), 1},
		{"a line of a character too many", short + "// " + strings.Repeat("é", longestLine-2) + "\n", 1},
		{"a file of a line too many", short + strings.Repeat("//\n", longestFile-longestFunction-1), 1},
	} {
		if faults := tooLong(t, c.source); len(faults) != c.want {
			t.Errorf("%s: %v", c.what, faults)
		}
	}
}
