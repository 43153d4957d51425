package tempbytes

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// read reads events until the counter is closed or an error occurs.
func (c *Counter) read() {
	buffer := make([]byte, 64<<10)
	for {
		n, err := c.events.Read(buffer)
		c.mu.Lock()
		if err == nil {
			err = c.take(buffer[:n])
		}
		if err != nil {
			if c.err = fmt.Errorf("count temporary bytes: %w", err); errors.Is(err, os.ErrClosed) {
				c.err = os.ErrClosed
			}
			for mark, arrived := range c.seen {
				close(arrived)
				delete(c.seen, mark)
			}
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
	}
}

// take parses the events of inotify(7): watch, mask, cookie, length of the name, name.
func (c *Counter) take(b []byte) error {
	for len(b) >= unix.SizeofInotifyEvent {
		watch := int32(binary.NativeEndian.Uint32(b))
		mask := binary.NativeEndian.Uint32(b[4:])
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
		name, _, _ := bytes.Cut(b[unix.SizeofInotifyEvent:end], []byte{0})
		b = b[end:]
		if mask&unix.IN_Q_OVERFLOW != 0 {
			return errors.New("events were lost: too many at once")
		}
		folder, known := c.folders[watch]
		path := filepath.Join(folder, string(name))
		switch {
		case !known:
		case mask&unix.IN_IGNORED != 0: // the folder is gone
			delete(c.folders, watch)
		case mask&unix.IN_CREATE != 0 && mask&unix.IN_ISDIR != 0:
			c.enter(path)
		case mask&unix.IN_CREATE != 0:
			c.hold(path)
		case mask&unix.IN_DELETE != 0:
			c.settle(path)
		}
	}
	return nil
}

func (c *Counter) add(dir string) error {
	watch, err := unix.InotifyAddWatch(c.fd, dir, unix.IN_CREATE|unix.IN_DELETE|unix.IN_ONLYDIR)
	if err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	c.folders[int32(watch)] = dir
	return nil
}

// enter watches a new folder. It lists files that were made before the watch; a file that is also reported as an event
// is recognized by its inode.
func (c *Counter) enter(dir string) {
	if err := c.add(dir); err != nil {
		c.done.Missed++ // it is gone already, and its files are unknown
		c.done.Files++
		return
	}
	entries, _ := os.ReadDir(dir) // if the folder is gone there is nothing to list
	for _, e := range entries {
		if path := filepath.Join(dir, e.Name()); e.IsDir() {
			c.enter(path)
		} else {
			c.hold(path)
		}
	}
}

// hold opens a file while it has a name.
func (c *Counter) hold(path string) {
	if strings.HasPrefix(filepath.Base(path), markPrefix) {
		if arrived := c.seen[path]; arrived != nil {
			close(arrived)
			delete(c.seen, path)
		}
		return
	}
	// O_PATH never blocks, needs no permission, and lets fstat report the size of a file without a name.
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		c.done.Missed++
		c.done.Files++
		return
	}
	if old, known := c.held[path]; known {
		if sameFile(old, fd) {
			unix.Close(fd)
			return
		}
		c.settle(path)
	}
	c.held[path] = fd
}

// settle counts a file that was removed, and closes it.
func (c *Counter) settle(path string) {
	fd, known := c.held[path]
	if !known {
		return
	}
	delete(c.held, path)
	c.done.Files++
	if size, err := sizeOf(fd); err != nil {
		c.done.Missed++
	} else {
		c.done.Bytes += size
	}
	unix.Close(fd)
}

func sizeOf(fd int) (int64, error) {
	var s unix.Stat_t
	err := unix.Fstat(fd, &s)
	return s.Size, err
}

func sameFile(a, b int) bool {
	var x, y unix.Stat_t
	return unix.Fstat(a, &x) == nil && unix.Fstat(b, &y) == nil && x.Dev == y.Dev && x.Ino == y.Ino
}
