package testproc_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/test/testproc"
)

// asParent makes this test program act as a test process that will be killed: it starts a child, creates a folder,
// prints both and waits.
const asParent = "HOLDFAST_TESTPROC_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(asParent) != "" {
		parent()
	}
	os.Exit(m.Run())
}

func parent() {
	folder, err := testproc.NewFolder("holdfast-testproc")
	if err != nil {
		panic(err)
	}
	child, err := testproc.Start(exec.Command("sleep", "300"), syscall.SIGTERM)
	if err != nil {
		panic(err)
	}
	fmt.Println(child.Pid(), folder.Path)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test kills us
	os.Exit(3)
}

// If a test process is killed with kill -9, its server ends and its folder is removed.
func TestNothingIsLeftAfterKill(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asParent+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	number, folder, _ := strings.Cut(strings.TrimSpace(line), " ")
	pid, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	if !alive(pid) {
		t.Fatal("the child did not start")
	}
	if _, err := os.Stat(folder); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()

	eventually(t, "the child ends", func() bool { return !alive(pid) })
	eventually(t, "the folder is gone", func() bool {
		_, err := os.Stat(folder)
		return errors.Is(err, os.ErrNotExist)
	})
}

func TestStopKillsWhoDoesNotListen(t *testing.T) {
	ready := testproc.TempFolder(t, "holdfast-testproc") + "/ready"
	// exec: a plain shell would be killed and leave its child sleep running.
	p, err := testproc.Start(exec.Command("sh", "-c", `trap "" TERM; : >"$0"; exec sleep 300`, ready), syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the child is ready", func() bool { _, err := os.Stat(ready); return err == nil })
	p.Stop(syscall.SIGTERM, 100*time.Millisecond)
	p.Stop(syscall.SIGTERM, 100*time.Millisecond)
	if p.Err() == nil {
		t.Error("it was killed, so there should be an error")
	}
}

// alive returns false for a zombie, too: it has ended, but its exit code was not fetched yet.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("still waiting: " + what)
		}
	}
}
