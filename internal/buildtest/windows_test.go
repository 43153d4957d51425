package buildtest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The program for Windows is the client alone: it compiles, and contains nothing of the service.
func TestWindows(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the program and its tests for another system")
	}
	goWindows := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir, cmd.Env = root(t), append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	goWindows("vet", ".", "./cli")
	for name := range strings.FieldsSeq(goWindows("list", "-deps", ".")) {
		switch name {
		case "holdfast", "holdfast/cli", "holdfast/client", "holdfast/config", "holdfast/internal/filelock",
			"holdfast/internal/regular", "holdfast/internal/version":
		default:
			if strings.HasPrefix(name, "holdfast/") {
				t.Errorf("the program for Windows contains %s", name)
			}
		}
	}
}
