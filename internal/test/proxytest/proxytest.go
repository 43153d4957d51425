// Package proxytest starts a real nginx, Caddy or HAProxy, with its file of deploy/, in front of programs on loopback.
//
// Nothing is skipped where one of them is missing: the test fails and says what to do.
package proxytest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/testproc"
)

// deployed reads a file of deploy/ with other text in place of some of its own, which must be there once.
func deployed(t testing.TB, path string, replace map[string]string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "deploy", path))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for old, new := range replace {
		if strings.Count(text, old) != 1 {
			t.Fatalf("deploy/%s should have one line %q", path, old)
		}
		text = strings.Replace(text, old, new, 1)
	}
	return text
}

// folder makes a temporary folder with a file in it.
func folder(t testing.TB, name, content string) (folder, path string) {
	t.Helper()
	folder = testproc.TempFolder(t, "holdfast-proxy")
	// If started as root, nginx's workers run as the user nobody, who must be able to reach its folders in here.
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder, path
}

// command returns the command of a program that Debian has in a package of that name.
func command(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		program = "/usr/sbin/" + name // Debian's path, which is not in a user's PATH
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%s is not installed: run `make deps` (Debian: apt-get install %s)", name, name)
	}
	return exec.Command(program, args...)
}

// run runs a proxy until the test ends, and waits until the program behind it answers at an address. It returns the
// path of what the proxy writes.
func run(t testing.TB, cmd *exec.Cmd, folder, address string) (log string) {
	t.Helper()
	log = filepath.Join(folder, "log")
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, out, out
	process, err := testproc.Start(cmd, syscall.SIGTERM)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Stop(syscall.SIGTERM, time.Minute)
		if t.Failed() {
			t.Log(testproc.LogTail(log))
		}
	})
	testproc.WaitForOK(t, address, process, log)
	return log
}
