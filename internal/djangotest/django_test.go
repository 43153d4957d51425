package djangotest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"holdfast/internal/test/holdfasttest"
	"holdfast/internal/test/pgtest"
	"holdfast/internal/test/redistest"
	"holdfast/internal/test/testproc"
)

// root returns the folder of the repository.
func root(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// installs is held while python.sh runs: two at a time would each make the pip that installs for both.
var installs sync.Mutex

// python returns an interpreter with the libraries of a list of clients/django.
func python(t *testing.T, list string) string {
	t.Helper()
	installs.Lock()
	defer installs.Unlock()
	var said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(root(t), "scripts", "python.sh"), "clients/django/"+list)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("scripts/python.sh: %v\n%s", err, said.String())
	}
	return strings.TrimSpace(string(out))
}

// run runs a command, and returns what it printed. One that takes half an hour hangs: it is ended, and Python prints
// where it was.
func run(t *testing.T, dir string, env []string, command ...string) string {
	t.Helper()
	limit := []string{"--foreground", "--signal=ABRT", "--kill-after=1m", "30m"} // in our group of processes
	cmd := exec.CommandContext(t.Context(), "timeout", append(limit, command...)...)
	cmd.Dir = dir
	// What Python compiles is kept, but not beside its sources.
	cmd.Env = append(os.Environ(), "PYTHONFAULTHANDLER=1",
		"PYTHONPYCACHEPREFIX="+filepath.Join(root(t), ".cache", "pycache"))
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	return string(out)
}

// The package's own tests pass with the newest libraries that it allows, and with the oldest.
func TestPackage(t *testing.T) {
	const postgres = "PostgreSQL"
	for _, c := range []struct{ list, database string }{
		{"requirements-test.txt", "SQLite"},
		{"requirements-oldest.txt", postgres},
	} {
		t.Run(c.list+" "+c.database, func(t *testing.T) {
			t.Parallel()
			env := []string{"HOLDFAST_BIN=" + holdfasttest.Plain(t), "REDIS_URL=" + redistest.Start(t).URL(),
				"DJANGO_SETTINGS_MODULE=settings", "PYTHONPATH=src" + string(filepath.ListSeparator) + "tests"}
			if c.database == postgres {
				env = append(env, "DATABASE_URL="+pgtest.New(t), "HOLDFAST_DATABASE_URL="+pgtest.New(t))
			}
			said := run(t, filepath.Join(root(t), "clients", "django"), env, python(t, c.list),
				"-W", "error::DeprecationWarning:django_holdfast", "-m", "django", "test", "--noinput", "tests")
			m := regexp.MustCompile(`(?m)^Ran (\d+) tests`).FindStringSubmatch(said)
			if m == nil || m[1] < "40" {
				t.Errorf("too few tests:\n%s", said)
			}
		})
	}
}

// Its types are complete, its migrations match its models, and it is formatted.
func TestSources(t *testing.T) {
	t.Parallel()
	interpreter, dir := python(t, "requirements-test.txt"), filepath.Join(root(t), "clients", "django")
	env := []string{"REDIS_URL=redis://127.0.0.1:1", "DJANGO_SETTINGS_MODULE=settings",
		"PYTHONPATH=src" + string(filepath.ListSeparator) + "tests"}
	cache := t.TempDir()
	for _, command := range [][]string{
		{"-m", "mypy", "--cache-dir", cache, "src", "tests"},
		{"-m", "ruff", "check", "--no-cache", "."},
		{"-m", "ruff", "format", "--no-cache", "--check", "."},
		{"-m", "django", "makemigrations", "--check", "--dry-run"},
	} {
		run(t, dir, env, append([]string{interpreter}, command...)...)
	}
}

// The README's walk-through runs as it is written, in one shell.
func TestWalkThrough(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root(t), "clients", "django", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	script := "set -euo pipefail\n"
	for _, m := range regexp.MustCompile("(?s)<!-- test: walk -->\n```sh\n(.*?)```").FindAllSubmatch(text, -1) {
		script += string(m[1])
	}
	if n := strings.Count(string(text), "```sh"); n < 8 || strings.Count(string(text), "<!-- test: walk -->") != n {
		t.Errorf("%d blocks, or some are not run", n)
	}
	python(t, "requirements-test.txt") // or it says what is missing
	repository := testproc.TempFolder(t, "holdfast-walk")
	if err := os.Symlink(filepath.Join(root(t), "clients"), filepath.Join(repository, "clients")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(holdfasttest.Plain(t), filepath.Join(repository, "holdfast")); err != nil {
		t.Fatal(err)
	}
	// PIP_NO_COMPILE: Python compiles what is imported, which is a small part of Django.
	env := []string{"HOLDFAST=" + repository, "REDIS_URL=" + redistest.Start(t).URL(), "PIP_NO_COMPILE=1"}
	for _, name := range []string{"PORT", "DJANGO_PORT"} {
		port, err := testproc.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, fmt.Sprintf("%s=%d", name, port))
	}
	// Processes that it starts end with it, even if a command fails.
	script = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + script
	said := run(t, t.TempDir(), env, "bash", "-c", script)
	for _, line := range []string{"all is well\n", "403\n", "200\n"} {
		if !strings.Contains(said, line) {
			t.Errorf("%q is missing in\n%s", line, said)
		}
	}
}
