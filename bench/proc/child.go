// Package proc starts the programs that are measured, reads what the kernel counts of
// them, and leaves nothing of them behind, however the benchmark ends: by itself, by
// Ctrl-C, by a panic or by kill -9.
//
//   - A child gets SIGKILL from the kernel when this process dies.
//   - A folder on the RAM disk has a janitor, a shell that waits for the end of this
//     process, ends what still logs into the folder, and then removes it.
//
// Linux only, as everything that is read from /proc.
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
	// A group of its own: Ctrl-C at the terminal is for the benchmark, which ends its
	// children in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c := &Child{cmd: cmd, log: log, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel looks at the thread that started the child, not at the process:
		// this thread must live as long as the child.
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

// Stop asks the program to end, and kills it if it has not after some seconds. It is
// fine to stop twice.
func (c *Child) Stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
	case <-time.After(10 * time.Second):
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

// Await waits until ready says yes. The error tells the end of the program's output.
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

// AwaitLine waits until the program printed what pattern matches, and returns what the
// pattern's group matched.
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

// FreeAddress is an address on loopback that nobody listens on. Somebody may take it
// before it is used: whoever starts a server there tries again.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
