// Package tempbytes counts the bytes that a program writes to files in a folder, such as its TMPDIR, even if the
// program removes the files a moment later.
//
// The kernel's own counter of written bytes (wchar in /proc/PID/io) does not distinguish files from sockets. So
// inotify reports every file that is created, and the counter holds it by a descriptor that does not open it (O_PATH).
// With that it can read the file's size after the file was removed.
//
// Bytes that overwrite others count once, a file without a name (O_TMPFILE) is not seen, and if a name is used again
// at once, two files may be counted as one. A file that is gone before the counter can hold it is counted as missed:
// only a count of zero files proves zero bytes.
package tempbytes

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Count counts files and their bytes.
type Count struct {
	Bytes  int64 `json:"bytes"`
	Files  int64 `json:"files"`
	Missed int64 `json:"missed"` // those of Files whose size is unknown
}

// Sub returns what was added since an earlier count.
func (c Count) Sub(earlier Count) Count {
	return Count{c.Bytes - earlier.Bytes, c.Files - earlier.Files, c.Missed - earlier.Missed}
}

// Counter watches a folder and the folders in it.
type Counter struct {
	dir    string
	fd     int // of events; File.Fd would make it block
	events *os.File

	mu      sync.Mutex
	folders map[int32]string // by watch
	held    map[string]int   // descriptors of files that still have a name
	done    Count            // of files that were removed
	err     error
	marks   int
	seen    map[string]chan struct{} // marks of Count that have not been reported yet
}

// markPrefix is the prefix of the counter's own files.
const markPrefix = ".holdfast-bench-mark-"

// Watch starts to count. Files that exist already don't count.
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

// Count returns what was written so far. Events come in order: once the event of a file made here has come, all earlier
// ones have.
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
	<-arrived // or the reader has ended: then c.err says why
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
