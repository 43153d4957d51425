// Package testproc starts the real servers that tests need (PostgreSQL, an S3
// gateway, nginx, holdfast itself) so that nothing of them is left behind, however
// the test process ends: by itself, by a panic, by go test's time limit or by kill -9.
//
//   - A child gets a signal from the kernel when this process dies (Linux).
//   - A temporary folder has a janitor, a shell that waits for the end of this
//     process and then removes the folder.
//
// Only tests import this package.
package testproc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Process is a started child process.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of Wait; may be read once done is closed
}

// Start starts cmd. If this process ends first, the kernel sends the child onDeath.
// Give cmd files, not pipes, for its output: a pipe would keep `go test` waiting.
func Start(cmd *exec.Cmd, onDeath syscall.Signal) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	setDeathSignal(cmd.SysProcAttr, onDeath)
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel sends the signal when the thread that started the child ends, not the process: this thread
		// must live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// Pid returns the child's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err waits for the child's end and returns how it ended; nil for exit code 0.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Signal sends the child a signal. If the child has ended, that is no error.
func (p *Process) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// Stop sends the signal, waits for the end, and kills a child that is still running after the given time. It may be
// called twice.
func (p *Process) Stop(s syscall.Signal, patience time.Duration) {
	p.Signal(s)
	select {
	case <-p.done:
	case <-time.After(patience):
		p.Signal(syscall.SIGKILL)
		<-p.done
	}
}

// Folder is a temporary folder. It is removed by Remove, or else when this process ends.
type Folder struct {
	Path     string
	lifeline *os.File // the janitor waits for its other end to close
	janitor  *exec.Cmd
}

// sweep reads until the other end is closed, then removes the folder. It tries several times because a server may
// still be writing while it dies.
const sweep = `cat >/dev/null
for try in 1 2 3 4 5 6 7 8 9 10; do
	rm -rf -- "$1" 2>/dev/null && [ ! -e "$1" ] && exit
	sleep 0.3
done`

// NewFolder creates a temporary folder whose name begins with name.
func NewFolder(name string) (*Folder, error) { return newFolderIn("", name) }

// newFolderIn is NewFolder in a folder of the caller's choice; "" is the usual one.
func newFolderIn(parent, name string) (*Folder, error) {
	path, err := os.MkdirTemp(parent, name+"-*")
	if err != nil {
		return nil, fmt.Errorf("make a temporary folder: %w", err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("watch over %s: %w", path, err)
	}
	defer read.Close()
	janitor := exec.Command("sh", "-c", sweep, "janitor", path)
	janitor.Dir = "/"
	janitor.Stdin = read
	// A process group of its own: Ctrl-C ends the tests and must not end the janitor.
	janitor.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := janitor.Start(); err != nil {
		write.Close()
		os.RemoveAll(path)
		return nil, fmt.Errorf("watch over %s: %w", path, err)
	}
	return &Folder{Path: path, lifeline: write, janitor: janitor}, nil
}

// Remove removes the folder now and ends the janitor.
func (f *Folder) Remove() {
	_ = os.RemoveAll(f.Path)
	_ = f.lifeline.Close()
	_ = f.janitor.Wait()
}

// TempFolder is NewFolder for one test: it is removed when the test ends. Unlike
// t.TempDir its files are also removed when the test process is killed.
func TempFolder(t testing.TB, name string) string {
	t.Helper()
	f, err := NewFolder(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Remove)
	return f.Path
}

// FreePort returns a TCP port on loopback that is not in use. No other call returns it while this process runs, also in
// other test processes (on Linux). A program that knows nothing of this may still take it.
func FreePort() (int, error) {
	// Not the system's own choice (port 0): it comes from the range for outgoing connections. Tests make thousands
	// of those, and one of them would take the port while a server is stopped that shall come back on it.
	const first, last = 12000, 32000
	err := errors.New("all that were tried are reserved")
	for range 100 {
		var l net.Listener
		port := first + rand.IntN(last-first)
		free, failed := reserve(port)
		if failed != nil {
			return 0, failed
		}
		if !free {
			continue
		}
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("find a free port: %w", err)
}

// LogTail returns the end of a log file, for the message of a failed test.
func LogTail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	const most = 4 << 10
	if len(b) > most {
		b = b[len(b)-most:]
	}
	return filepath.Base(path) + ":\n" + string(b)
}
