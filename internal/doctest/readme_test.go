// Package doctest keeps what the documents say true.
package doctest

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/config"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// start runs the real program on a folder of its own.
func start(t *testing.T) (url, token string) {
	t.Helper()
	bin, data := filepath.Join(t.TempDir(), "holdfast"), t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "holdfast").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(bin)
	cmd.Env = append(os.Environ(), "CONFIG=Testing", "PORT=0", "DATA_DIR="+data, "EXAMPLE_DIR="+data)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Error("the service ended with", err)
		}
	})
	for lines := bufio.NewScanner(out); token == "" && lines.Scan(); {
		switch f := append(strings.Fields(lines.Text()), "", ""); f[0] {
		case "uploads":
			url = strings.TrimSuffix(f[1], "/tus/")
		case "token":
			token = f[1]
		}
	}
	return url, token
}

// The README's tour is run as it stands, in one shell.
func TestTour(t *testing.T) {
	blocks := regexp.MustCompile("(?s)<!-- test: tour -->\n```sh\n(.*?)```").FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(blocks) < 6 {
		t.Fatalf("%d blocks", len(blocks))
	}
	var script strings.Builder
	for _, b := range blocks {
		script.WriteString(b[1])
	}
	url, token := start(t)
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", script.String())
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "URL="+url, "TOKEN="+token)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// The table of settings names what package config reads, no more and no less.
func TestSettings(t *testing.T) {
	asked := map[string]bool{}
	for _, storage := range []string{"embedded", "local", "google", "s3"} {
		config.Load(func(name string) string {
			asked[name] = true
			switch {
			case name == "STORAGE_TYPE":
				return storage
			case name == "POSTGRES_HOST", strings.HasSuffix(name, "_ENDPOINT"):
				return "host"
			}
			return ""
		})
	}
	var want, got []string
	for name := range asked {
		want = append(want, name)
	}
	for line := range strings.Lines(read(t, "README.md")) {
		if first, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " |"); ok && strings.HasPrefix(line, "| `") {
			for _, name := range regexp.MustCompile("`([A-Z0-9_]+)`").FindAllStringSubmatch(first, -1) {
				got = append(got, name[1])
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("README's table (+) and what is read (-):\n%s", diff)
	}
}

// Every make target that the README names is there.
func TestTargets(t *testing.T) {
	makefile := read(t, "Makefile")
	for _, m := range regexp.MustCompile("(?m)^make ([a-z]+)").FindAllStringSubmatch(read(t, "README.md"), -1) {
		if !strings.Contains(makefile, "\n"+m[1]+":") {
			t.Errorf("there is no make %s", m[1])
		}
	}
}
