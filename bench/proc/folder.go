package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrNoRAM says that there is no RAM disk, or none that is large enough.
var ErrNoRAM = errors.New("no RAM disk to measure on")

// Folder is a temporary folder on a RAM disk. It is removed by Remove, or else when this
// process ends.
type Folder struct {
	Path     string
	lifeline *os.File // the janitor waits for its other end to close
	janitor  *exec.Cmd
}

// sweep reads until the other end is closed. It then ends processes that still write logs into the folder, since the
// kernel ends our children, but not theirs, such as nginx's workers. A shell that is merely in the folder stays. It
// tries several times, since a server may still be writing while it dies.
const sweep = `cat >/dev/null
for try in 1 2 3 4 5 6 7 8 9 10; do
	for p in /proc/[0-9]*; do
		case $(readlink "$p/fd/2" 2>/dev/null) in "$1"/*) kill -KILL "${p#/proc/}" 2>/dev/null ;; esac
	done
	rm -rf -- "$1" 2>/dev/null && [ ! -e "$1" ] && exit
	sleep 0.3
done`

// RAMFolder makes a folder in disk, which must be in memory and have that many bytes free: on a real disk the
// benchmark would measure the disk.
func RAMFolder(disk string, bytes uint64) (*Folder, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(disk, &s); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNoRAM, disk, err)
	}
	if t := uint32(s.Type); t != unix.TMPFS_MAGIC && t != unix.RAMFS_MAGIC {
		return nil, fmt.Errorf("%w: %s is not in memory (neither tmpfs nor ramfs)", ErrNoRAM, disk)
	}
	if free := s.Bavail * uint64(s.Bsize); uint32(s.Type) == unix.TMPFS_MAGIC && free < bytes {
		return nil, fmt.Errorf("%w: %s has %d MiB free, %d MiB are needed", ErrNoRAM, disk, free>>20, bytes>>20)
	}
	path, err := os.MkdirTemp(disk, "holdfast-bench-*")
	if err != nil {
		return nil, fmt.Errorf("make a folder on the RAM disk: %w", err)
	}
	f, err := watch(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("watch over %s: %w", path, err), os.RemoveAll(path))
	}
	return f, nil
}

func watch(path string) (*Folder, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	janitor := exec.Command("sh", "-c", sweep, "janitor", path)
	janitor.Dir = "/"
	janitor.Stdin = read
	// A process group of its own: Ctrl-C ends the benchmark and must not end the janitor.
	janitor.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := janitor.Start(); err != nil {
		write.Close()
		return nil, err
	}
	return &Folder{Path: path, lifeline: write, janitor: janitor}, nil
}

// Remove removes the folder now and ends the janitor.
func (f *Folder) Remove() error {
	err := os.RemoveAll(f.Path)
	return errors.Join(err, f.lifeline.Close(), f.janitor.Wait())
}
