package proc

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

func TestCPUTime(t *testing.T) {
	for stat, want := range map[string]time.Duration{
		"7 (holdfast) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 9 0 100":   2 * time.Second,
		"7 (a) b) (c) R 1 7 7 0 -1 4194560 100 0 0 0 1 2 99 99 20 0 9 0 100 11": 30 * time.Millisecond,
	} {
		if got, err := cpuTime([]byte(stat)); got != want || err != nil {
			t.Errorf("%s: %v, %v", stat, got, err)
		}
	}
	for _, stat := range []string{"", "7 (x) S 1", "7 (x) S 1 7 7 0 -1 4194560 100 0 0 0 one 2 0 0"} {
		if _, err := cpuTime([]byte(stat)); err == nil {
			t.Errorf("%q was accepted", stat)
		}
	}
}

func TestBusyTime(t *testing.T) {
	got, err := busyTime([]byte("cpu  1 2 3 1000 1000 4 5 6 99 99\ncpu0 7 7 7 7 7 7 7 7\n"))
	if got != 210*time.Millisecond || err != nil {
		t.Error(got, err)
	}
	for _, stat := range []string{"", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8", "cpu one 2 3 4 5 6 7 8"} {
		if _, err := busyTime([]byte(stat)); err == nil {
			t.Errorf("%q was accepted", stat)
		}
	}
}

func TestPeak(t *testing.T) {
	if got, err := peak([]byte("VmPeak:\t 9 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n")); got != 2<<20 || err != nil {
		t.Error(got, err)
	}
	if _, err := peak([]byte("Name:\tx\n")); err == nil {
		t.Error("a status without VmHWM was accepted")
	}
}

// The kernel's own files are of the form that the readers expect.
func TestOwnProcess(t *testing.T) {
	if _, err := CPU(os.Getpid()); err != nil {
		t.Error(err)
	}
	if got, err := Busy(); got <= 0 || err != nil {
		t.Error(got, err)
	}
	ForgetPeak(os.Getpid())
	if got, err := PeakRSS(os.Getpid()); got < 1<<20 || err != nil {
		t.Error(got, err)
	}
}

func TestFamily(t *testing.T) {
	if pid, parent, err := family([]byte("7 (a) b) (c) R 3 7 7 0 -1")); pid != 7 || parent != 3 || err != nil {
		t.Error(pid, parent, err)
	}
	for _, stat := range []string{"", "7 (x) S", "x (x) S 1", "7 (x) S one"} {
		if _, _, err := family([]byte(stat)); err == nil {
			t.Errorf("%q was accepted", stat)
		}
	}
}

func TestChildren(t *testing.T) {
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	all, err := Children(os.Getpid())
	if err != nil || !slices.Contains(all, child.Process.Pid) {
		t.Errorf("%v, %v", all, err)
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	if all, err := Children(os.Getpid()); err != nil || slices.Contains(all, child.Process.Pid) {
		t.Errorf("%v, %v", all, err)
	}
}

// After the end of the benchmark the janitor ends processes that write logs into its folder, even if they are not its
// children, but not a process that is merely in the folder.
func TestJanitorEndsWhoIsLeft(t *testing.T) {
	f, err := RAMFolder("/dev/shm", 0)
	if err != nil {
		t.Fatal(err)
	}
	var left [2]*exec.Cmd
	for i, log := range []string{filepath.Join(f.Path, "log"), os.DevNull} {
		out, err := os.Create(log)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		left[i] = exec.Command("sleep", "60")
		left[i].Dir, left[i].Stderr = f.Path, out
		if err := left[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	// A killed benchmark looks the same to the janitor: the other end is closed.
	if err := errors.Join(f.lifeline.Close(), f.janitor.Wait()); err != nil {
		t.Error(err)
	}
	if err := left[0].Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("who logs into the folder: %v", err)
	}
	if err := left[1].Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("who looks around: %v", err)
	}
	_ = left[1].Process.Kill()
	_ = left[1].Wait()
	if _, err := os.Stat(f.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder: %v", err)
	}
}

func TestOnlyOnRAM(t *testing.T) {
	for _, disk := range []string{"/proc", "/nonexistent"} {
		if _, err := RAMFolder(disk, 0); !errors.Is(err, ErrNoRAM) {
			t.Errorf("%s: %v", disk, err)
		}
	}
	if _, err := RAMFolder("/dev/shm", 1<<62); !errors.Is(err, ErrNoRAM) {
		t.Error(err)
	}
}
