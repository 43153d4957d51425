package holdfasttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Two builds return two names of one program, which runs. They keep theirs even if the shared one is removed.
func TestPlain(t *testing.T) {
	one, other := Plain(t), Plain(t)
	if one == other {
		t.Errorf("both have %s", one)
	}
	root, err := module()
	if err != nil {
		t.Fatal(err)
	}
	shared, err := os.Stat(filepath.Join(root, ".cache", "test", "holdfast"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{one, other} {
		if info, err := os.Stat(path); err != nil || info.Size() != shared.Size() {
			t.Errorf("%s is not the shared program: %v", path, err)
		}
		if out, err := exec.Command(path, "--help").CombinedOutput(); err != nil || !strings.Contains(string(out), "serve") {
			t.Errorf("%s --help: %v\n%s", path, err, out)
		}
	}
}

// If the program can't be linked into the folder, it is copied.
func TestLink(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := os.WriteFile(from, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, []byte("another program"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := link(from, to); err != nil { // a file of this name exists: no hard link is possible
		t.Fatal(err)
	}
	if b, err := os.ReadFile(to); err != nil || string(b) != "program" {
		t.Errorf("%q, %v", b, err)
	}
	if err := link(filepath.Join(dir, "nothing"), to); err == nil {
		t.Error("nothing was linked, and no error")
	}
}
