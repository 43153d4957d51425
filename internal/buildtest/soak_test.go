package buildtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// soak returns a command that runs scripts/soak.sh with a script, in a folder of its own.
func soak(t *testing.T, script string, runs, busy string) (cmd *exec.Cmd, said *bytes.Buffer) {
	t.Helper()
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "scripts"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"soak.sh": read(t, "scripts/soak.sh"), "script.sh": script} {
		if err := os.WriteFile(filepath.Join(folder, "scripts", name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd, said = exec.Command(filepath.Join(folder, "scripts", "soak.sh"), runs, busy, "scripts/script.sh"), &bytes.Buffer{}
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, said, said
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + folder}
	cmd.WaitDelay = time.Minute
	t.Cleanup(func() {
		for _, pid := range at(folder) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return cmd, said
}

// All runs are executed, and the failed ones are listed.
func TestSoak(t *testing.T) {
	cmd, said := soak(t, "#!/bin/sh\necho >>runs; test $(wc -l <runs) != 2 || { echo '--- FAIL: TestOne'; exit 1; }\n",
		"3", "2")
	cmd.Run()
	out := said.String()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(out, "run 1 passed") ||
		!strings.Contains(out, "run 3 passed") ||
		!strings.Contains(out, "--- FAIL: TestOne\n") ||
		!strings.Contains(out, "3 of 3 runs beside 2 busy processes, 1 failed: 2\nTheir output is in "+cmd.Dir) {
		t.Errorf("exit status %d\n%s", cmd.ProcessState.ExitCode(), out)
	}
	if left := at(cmd.Dir); len(left) > 0 {
		t.Errorf("processes %v go on", left)
	}
}

// When it is interrupted it reports the runs so far, and leaves no process running.
func TestSoakInterrupted(t *testing.T) {
	cmd, said := soak(t, "#!/bin/sh\necho >>runs; test $(wc -l <runs) != 2 || { touch second; sleep 1000; }\n", "5", "1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(cmd.Dir, "second")); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatal("the second run did not begin within a minute")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if cmd.ProcessState.ExitCode() == 0 ||
		!strings.HasSuffix(said.String(), "1 of 5 runs beside 1 busy processes, 0 failed\n") {
		t.Errorf("exit status %d\n%s", cmd.ProcessState.ExitCode(), said)
	}
	if left := at(cmd.Dir); len(left) > 0 {
		t.Errorf("processes %v go on", left)
	}
}
