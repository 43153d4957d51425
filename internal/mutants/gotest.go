package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// compiling is how long a compiler may take, in addition to the tests' own time.
const compiling = 10 * time.Minute

// check type-checks packages and their tests, and returns the errors as text.
func check(ctx context.Context, t *tree, packages []string) (string, error) {
	if len(packages) == 0 {
		return "", nil
	}
	// go vet type-checks without writing or linking anything; of its own checks, only one that finds nothing here is
	// enabled.
	return command(ctx, t, compiling, "go", append([]string{"vet", "-stdversion"}, packages...)...)
}

// command runs a command in the tree, ends it with all its children after the time limit, and returns its output.
func command(ctx context.Context, t *tree, limit time.Duration, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = t.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// event is a line of `go test -json`.
type event struct {
	Action, Test, Output, FailedBuild string
}

// runGoTests runs some tests of a package. The results come from the output of go test, not from its exit code, which
// is the same for a failed test, a missing test and a compiler error.
func runGoTests(ctx context.Context, t *tree, where string, names []string, limit time.Duration) map[test]outcome {
	out, _ := command(ctx, t, limit+compiling, "go", "test", "-json", "-count=1", "-vet=off", "-timeout", limit.String(),
		"-run", "^("+strings.Join(names, "|")+")$", where)
	states, text := readEvents(out)
	all := map[test]outcome{}
	for _, name := range names {
		o := outcome{state: states[name]}
		if states[""] == broken {
			o.state = broken
		}
		if o.state != passed {
			o.output = tail(text)
		}
		all[test{where: where, name: name}] = o
	}
	return all
}

// readEvents parses the output of `go test -json`: how each test ended, and all text. The package itself has an empty
// name; its state is broken if something did not compile.
func readEvents(out string) (states map[string]state, text string) {
	states = map[string]state{}
	running := map[string]bool{}
	var b strings.Builder
	for line := range strings.Lines(out) {
		var ev event
		if json.Unmarshal([]byte(line), &ev) != nil {
			b.WriteString(line) // the go command's own
			continue
		}
		switch ev.Action {
		case "run":
			running[ev.Test] = true
		case "pass", "fail", "skip":
			delete(running, ev.Test)
			states[ev.Test] = map[string]state{"pass": passed, "fail": failed, "skip": absent}[ev.Action]
		case "output", "build-output":
			if !strings.HasPrefix(ev.Output, "=== ") {
				b.WriteString(ev.Output)
			}
		}
		if ev.Action == "build-fail" || ev.FailedBuild != "" {
			states[""] = broken
			return states, b.String()
		}
	}
	// A test that began and did not end has ended its process: by a panic, or by the time limit.
	for name := range running {
		states[name] = timedOut
		if states[""] == failed && !strings.Contains(b.String(), "panic: test timed out after") {
			states[name] = failed
		}
	}
	return states, b.String()
}

// tail returns the end of a text, which a reader needs first.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}
