package buildtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// largest is how many bytes the program may have without its symbols, as it is published.
const largest = 34_000_000

// The program stays small. Once a function in it looks up a method by a name that is no constant, as text/template
// does, the linker keeps the exported methods of all types: a third more.
func TestSize(t *testing.T) {
	if testing.Short() {
		t.Skip("links the program")
	}
	program := filepath.Join(t.TempDir(), "holdfast")
	// -dumpdep prints a line for each symbol that another needs. The linker is called without the go command, which would
	// keep these lines, and print them at a `make build`.
	imports, main := compiled(t)
	cmd := exec.CommandContext(t.Context(), "go", "tool", "link", "-s", "-w", "-dumpdep", "-importcfg", imports,
		"-o", program, main)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%.2000s", err, out)
	}
	needs := string(out)
	if !strings.Contains(needs, "main.main ") {
		t.Fatalf("the linker has not said what needs what:\n%.2000s", needs)
	}
	for _, line := range regexp.MustCompile(`(?m)^.* -> .*<ReflectMethod>.*$`).FindAllString(needs, -1) {
		t.Errorf("methods are looked up by their names: %s", line)
	}
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > largest {
		t.Errorf("the program has %d bytes, of %d at most", info.Size(), largest)
	}
	t.Logf("%d bytes", info.Size())
}

// compiled returns a list of all packages of the program for the linker, and the file of package main.
func compiled(t *testing.T) (imports, main string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f",
		"{{if .Export}}packagefile {{.ImportPath}}={{.Export}}{{end}}", ".")
	cmd.Dir, cmd.Env, cmd.Stderr = root(t), append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	list, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	imports = filepath.Join(t.TempDir(), "imports")
	if err := os.WriteFile(imports, list, 0o600); err != nil {
		t.Fatal(err)
	}
	_, main, _ = strings.Cut(string(list), "packagefile holdfast=")
	main, _, _ = strings.Cut(main, "\n")
	return imports, main
}
