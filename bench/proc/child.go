// Package proc starts the programs that are measured, reads the kernel's statistics about them, and leaves nothing of
// them behind, however the benchmark ends: by itself, by Ctrl-C, by a panic or by kill -9.
//
//   - A child gets SIGKILL from the kernel when this process dies.
//   - A folder on the RAM disk has a janitor, a shell that waits for the end of this
//     process, ends processes that still write logs into the folder, and then removes it.
//
// It works on Linux only, since it reads /proc.
package proc

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"time"
)

// Child is a running program. Its output goes to a file.
type Child struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
	err  error // of Wait; may be read once done is closed
}

// Start starts cmd with its output in the file log.
func Start(cmd *exec.Cmd, log string) (*Child, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	// A process group of its own: Ctrl-C at the terminal is for the benchmark, which ends its children in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c := &Child{cmd: cmd, log: log, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel watches the thread that started the child, not the process: this thread must live as long as the
		// child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
			close(c.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return c, nil
}

// Pid is the process id.
func (c *Child) Pid() int { return c.cmd.Process.Pid }

// Stop asks the program to end, and kills it if it has not after some seconds. It may be called twice.
func (c *Child) Stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
	case <-time.After(10 * time.Second):
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

// Await waits until ready returns true. The error contains the end of the program's output.
func (c *Child) Await(ctx context.Context, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for !ready() {
		select {
		case <-time.After(20 * time.Millisecond):
			continue
		case <-c.done:
			return fmt.Errorf("%s ended at once (%v)\n%s", c.name(), c.err, c.logTail())
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w\n%s", c.name(), ctx.Err(), c.logTail())
		}
	}
	return nil
}

// AwaitLine waits until the program has printed a match of pattern, and returns the match of the pattern's group.
func (c *Child) AwaitLine(ctx context.Context, pattern string) (string, error) {
	expression, err := regexp.Compile(pattern)
	if err != nil {
		return "", fmt.Errorf("wait for %s: %w", c.name(), err)
	}
	found := ""
	err = c.Await(ctx, func() bool {
		text, err := os.ReadFile(c.log)
		if err != nil {
			return false
		}
		if m := expression.FindSubmatch(text); m != nil {
			found = string(m[1])
		}
		return found != ""
	})
	return found, err
}

func (c *Child) name() string { return filepath.Base(c.cmd.Path) }

func (c *Child) logTail() string {
	text, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	const most = 4 << 10
	return string(text[max(0, len(text)-most):])
}

// FreeAddress returns an unused address on loopback. Another process may take it before it is used: the caller must
// then try again with another one.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
