package testproc

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// reserve gives a port to this process until it ends. It is false if another process has it, or this one asked before:
// an abstract socket with the port's name exists once, and leaves nothing behind.
func reserve(port int) (bool, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, fmt.Errorf("reserve a port: %w", err)
	}
	if unix.Bind(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("@holdfast-test-port-%d", port)}) == nil {
		return true, nil
	}
	return false, unix.Close(fd)
}
