// Package tempbytes counts the bytes that a program writes to files in a folder, such as
// the TMPDIR it was given, although it removes the files itself a moment later.
//
// The kernel's own counter of written bytes (wchar in /proc/PID/io) can't tell a file
// from a socket. So inotify reports every file that is created, the counter takes hold of
// it by a descriptor that opens nothing (O_PATH), and with that it can ask for the size
// after the file was removed too.
//
// Bytes that overwrite others count once, a file without a name (O_TMPFILE) is not seen,
// and of a name that is used again at once two files may be taken for one another. A file
// that is gone before the counter comes to it is counted as missed: zero bytes are proven
// only by zero files.
package tempbytes

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Count is what was written.
type Count struct {
	Bytes  int64 `json:"bytes"`
	Files  int64 `json:"files"`
	Missed int64 `json:"missed"` // of Files: those whose bytes are not known
}

// Sub is what came after an earlier count.
func (c Count) Sub(earlier Count) Count {
	return Count{c.Bytes - earlier.Bytes, c.Files - earlier.Files, c.Missed - earlier.Missed}
}

// Counter watches a folder and those below.
type Counter struct {
	dir    string
	fd     int // of events; File.Fd would make it block
	events *os.File

	mu      sync.Mutex
	folders map[int32]string // by watch
	held    map[string]int   // descriptors of files that still have a name
	done    Count            // of files that are gone
	err     error
	marks   int
	seen    map[string]chan struct{} // marks of Count that are on their way
}

// markPrefix begins the names of the counter's own files.
const markPrefix = ".holdfast-bench-mark-"

// Watch begins to count. Files that are there already don't count.
func Watch(dir string) (*Counter, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", dir, err)
	}
	c := &Counter{dir: dir, fd: fd, events: os.NewFile(uintptr(fd), "inotify"),
		folders: map[int32]string{}, held: map[string]int{}, seen: map[string]chan struct{}{}}
	if err := c.add(dir); err != nil {
		c.events.Close()
		return nil, err
	}
	go c.read()
	return c, nil
}

// Close ends the counting.
func (c *Counter) Close() error {
	err := c.events.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for path := range c.held {
		c.settle(path)
	}
	return err
}

// Count is what was written until now. Events come in order: when that of a file made
// here has come, all earlier ones have.
func (c *Counter) Count() (Count, error) {
	c.mu.Lock()
	c.marks++
	mark := filepath.Join(c.dir, markPrefix+strconv.Itoa(c.marks))
	arrived := make(chan struct{})
	c.seen[mark] = arrived
	err := c.err
	c.mu.Unlock()
	if err != nil {
		return Count{}, err
	}
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		return Count{}, fmt.Errorf("count temporary bytes: %w", err)
	}
	<-arrived // or the reader ended, which c.err tells
	if err := os.Remove(mark); err != nil {
		return Count{}, fmt.Errorf("count temporary bytes: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := c.done
	for _, fd := range c.held {
		size, err := sizeOf(fd)
		if err != nil {
			return Count{}, fmt.Errorf("count temporary bytes: %w", err)
		}
		sum.Bytes += size
		sum.Files++
	}
	return sum, c.err
}
