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
	// -dumpdep prints a line for each symbol that another needs. The build is otherwise the one of holdfasttest, so
	// that its packages are compiled once.
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w -dumpdep", "-o", program, ".")
	cmd.Dir, cmd.Env = root(t), append(os.Environ(), "CGO_ENABLED=0")
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
