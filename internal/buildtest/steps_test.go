package buildtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// root returns the project's folder.
func root(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// makefile has a step of each kind.
const makefile = `
good also:
	@echo this is good
bad:
	@echo "--- FAIL: TestSomething"; for i in $$(seq 50); do echo much; done; exit 1
plain:
	@echo the gofmt of it; exit 1
hang:
	@sleep 1000 & echo "it left $$!"; sleep 1000
leaves:
	@sleep 1000 & echo "it left $$!"
endless:
	@touch begun; exec sleep 1000
one:
	@touch one; until [ -e two ]; do sleep 0.1; done; for i in $$(seq 50); do echo one says $$i; done; touch said
two:
	@touch two; echo two begins; until [ -e one -a -e said ]; do sleep 0.1; done; echo two ends; exit 1
`

// stepped returns a command that runs steps.sh in a folder with that Makefile.
func stepped(t *testing.T, env []string, steps ...string) *exec.Cmd {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "Makefile"), []byte(makefile), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, filepath.Join(root(t), "scripts", "steps.sh"), steps...)
	// Without the variables of the make that runs this test.
	cmd.Dir, cmd.Env = folder, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder}, env...)
	cmd.WaitDelay = time.Second // a process that is left running holds the pipe
	t.Cleanup(func() {          // end a process that a step has left running
		for _, pid := range at(folder) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return cmd
}

// at returns the processes whose working directory is folder.
func at(folder string) (pids []int) {
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		if where, err := os.Readlink(link); err != nil || where != folder {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(link, "/")[2]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// closing returns the lines of the table, without times; and the whole output.
func closing(t *testing.T, cmd *exec.Cmd) (table []string, said string, status int) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v\n%s", err, out)
	}
	_, last, found := strings.Cut(string(out), "\n\n")
	if !found {
		t.Fatalf("no table:\n%s", out)
	}
	for line := range strings.Lines(regexp.MustCompile(` +\d+ s\n`).ReplaceAllString(last, "\n")) {
		table = append(table, strings.Join(strings.Fields(line), " "))
	}
	return table, string(out), cmd.ProcessState.ExitCode()
}

func sameLines(t *testing.T, said string, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the table is\n%s\nwant\n%s\nof\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"), said)
	}
}

// A failed step is reported with its output, the steps that need it are skipped, and all others run.
func TestStepsGoOn(t *testing.T) {
	table, said, status := closing(t, stepped(t, nil, "good", "bad", "plain:bad", "leaves:plain,good", "also:good"))
	sameLines(t, said, table, "good passed", "bad failed", "--- FAIL: TestSomething",
		"plain not run without bad", "leaves not run without plain", "also passed", "2 passed, 1 failed, 2 skipped")
	if status != 1 || !strings.Contains(said, "this is good") {
		t.Errorf("exit status %d\n%s", status, said)
	}

	table, said, status = closing(t, stepped(t, nil, "plain", "good"))
	if status != 1 || !strings.Contains(strings.Join(table, "\n"), "plain failed\nthe gofmt of it\n") {
		t.Errorf("exit status %d\n%s", status, said)
	}

	table, said, status = closing(t, stepped(t, nil, "good", "leaves"))
	sameLines(t, said, table, "good passed", "leaves passed", "2 passed, 0 failed")
	if status != 0 {
		t.Errorf("exit status %d\n%s", status, said)
	}
}

// Steps run concurrently: each of these waits for the other. The output of each is not mixed with others', each has its
// own result, and what depends on a step begins after that has ended.
func TestStepsBesideEachOther(t *testing.T) {
	table, said, status := closing(t, stepped(t, nil, "one", "two", "plain:none", "good:two", "also:one,good", "bad:one"))
	sameLines(t, said, without(table, "--- FAIL: TestSomething", "two begins", "two ends",
		"make: ***"), "one passed", "two failed",
		"plain not run without none", "good not run without two", "also not run without good", "bad failed",
		"1 passed, 2 failed, 3 skipped")
	var one strings.Builder
	for i := range 50 {
		fmt.Fprintf(&one, "one says %d\n", i+1)
	}
	if status != 1 || !strings.Contains(said, one.String()) ||
		!regexp.MustCompile(`\n== two failed after \d+ s\ntwo begins\ntwo ends\n`).MatchString(said) ||
		strings.Index(said, "-- bad begins") < strings.Index(said, "== one passed") {
		t.Errorf("exit status %d\n%s", status, said)
	}
}

// With STEPS_AT_ONCE=1 each step begins after the one before has ended.
func TestStepsOneAtATime(t *testing.T) {
	cmd := stepped(t, []string{"STEPS_AT_ONCE=1"}, "good", "also", "bad")
	_, said, _ := closing(t, cmd)
	order := regexp.MustCompile(`(?m)^(?:--|==) \w+ (?:begins|passed|failed)`).FindAllString(said, -1)
	sameLines(t, said, order, "-- good begins", "== good passed", "-- also begins", "== also passed", "-- bad begins",
		"== bad failed")
}

// without leaves lines out.
func without(lines []string, out ...string) []string {
	return slices.DeleteFunc(lines, func(line string) bool {
		return slices.ContainsFunc(out, func(o string) bool { return strings.Contains(line, o) })
	})
}

// A missing target is a failure, and so is a target that can't be made because make is missing.
func TestStepsThatAreNot(t *testing.T) {
	table, said, status := closing(t, stepped(t, nil, "none"))
	if status != 1 || table[0] != "none failed" || !strings.Contains(said, "No rule to make target") {
		t.Errorf("exit status %d\n%s", status, said)
	}
	table, said, status = closing(t, stepped(t, []string{"MAKE=/nowhere/make"}, "good"))
	if status != 1 || table[0] != "good failed" {
		t.Errorf("exit status %d\n%s", status, said)
	}
}

// A step that hangs is ended with all its processes and reported. What depends on it is not run.
func TestStepsThatHang(t *testing.T) {
	cmd := stepped(t, []string{"STEP_LIMIT=1s"}, "hang", "good:hang")
	table, said, status := closing(t, cmd)
	if status != 1 || table[0] != "hang failed" || table[len(table)-1] != "0 passed, 1 failed, 1 skipped" ||
		!strings.Contains(said, "hang did not end within 1s") {
		t.Errorf("exit status %d\n%s", status, said)
	}
	for end := time.Now().Add(time.Minute); len(at(cmd.Dir)) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("processes %v go on", at(cmd.Dir))
		}
	}
}

// When it is interrupted it reports the results so far, and leaves no process running.
func TestStepsInterrupted(t *testing.T) {
	cmd := stepped(t, nil, "good", "endless:good", "plain:endless")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	begun := filepath.Join(cmd.Dir, "begun")
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(begun); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatal("the step did not begin within a minute")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	status := cmd.ProcessState.ExitCode()
	if status != 143 || !strings.HasSuffix(said.String(), "1 passed, 0 failed, 2 skipped\n") {
		t.Errorf("exit status %d\n%s", status, said.String())
	}
	if left := at(cmd.Dir); len(left) > 0 {
		t.Errorf("processes %v go on", left)
	}
}
