package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// faults is a package with one fault for each kind of rule.
const faults = `package faults

import (
	"errors"
	"fmt"
	"io"
	"io/ioutil"
	"os"
	"strings"
)

func nobody() {}

func onlyTested() { io.Copy(io.Discard, strings.NewReader("")) }

func Fault() error {
	fmt.Printf("%d", "text")
	os.Chdir("/")
	for {
		select {
		case <-make(chan int):
		}
	}
	_, err := ioutil.ReadAll(nil)
	return err
}

func Capital() error { return errors.New("Something is wrong") }
`

const tested = `package faults

import (
	"os"
	"testing"
)

func TestIt(*testing.T) { onlyTested(); os.Setenv("a", "b") }
`

// Rules of vet and of staticcheck's four groups find their faults, also where they must know a library. A rule that a
// flag switches off finds nothing.
func TestFaults(t *testing.T) {
	dir := t.TempDir()
	tool := filepath.Join(dir, "lint")
	// As scripts/lint.sh does: Go keeps what this program finds in its libraries.
	if said, failed := run(t, ".", "go", "build", "-trimpath", "-buildvcs=false", "-o", tool, "."); failed {
		t.Fatal(said)
	}
	for name, content := range map[string]string{"go.mod": "module faults\n\ngo 1.26\n", "faults.go": faults,
		"faults_test.go": tested} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	said, failed := run(t, dir, "go", "vet", "-vettool="+tool, ".")
	if !failed {
		t.Error("it ended well")
	}
	for _, fault := range []string{
		"wrong type string",           // printf, of vet
		"unreachable code",            // of vet
		"func nobody is unused",       // U1000
		"ioutil has been deprecated",  // SA1019, which knows a library
		"should use for range",        // S1000
		"error strings should not be", // ST1005
		"ignored: os.Chdir",           // errcheck
		"at least one file in a pack", // ST1000
	} {
		if !strings.Contains(said, fault) {
			t.Errorf("it does not say %q:\n%s", fault, said)
		}
	}
	if strings.Contains(said, "onlyTested") {
		t.Errorf("a function that a test calls is not unused:\n%s", said)
	}
	if n := strings.Count(said, "ignored:"); n != 1 {
		t.Errorf("it finds %d ignored errors beside those of fmt, of a test, and of draining:\n%s", n, said)
	}
	said, _ = run(t, dir, "go", "vet", "-vettool="+tool, "-ST1000=false", ".")
	if strings.Contains(said, "at least one file") {
		t.Errorf("-ST1000=false, and it says:\n%s", said)
	}
}

// run runs a command in a folder, and returns what it says, and whether it failed.
func run(t *testing.T, dir, name string, args ...string) (said string, failed bool) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		t.Fatal(err)
	}
	return string(out), err != nil
}
