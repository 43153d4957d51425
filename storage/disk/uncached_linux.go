package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// mostPieces is how many pieces one call of the kernel takes (IOV_MAX).
const mostPieces = 1024

// writeUncached is WriteUncached of fileSystem, by O_DIRECT. The kernel refuses that (EINVAL) where the file system has
// no such writes, and for addresses and lengths that are not multiples of the device's blocks.
func writeUncached(f *os.File, blocks [][]byte) (written int, err error) {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_SETFL, flags|unix.O_DIRECT)
	}
	if errors.Is(err, unix.EINVAL) {
		return 0, nil
	}
	for n := 1; err == nil && n > 0 && len(blocks) > 0; {
		n, err = unix.Writev(int(f.Fd()), blocks[:min(len(blocks), mostPieces)])
		if errors.Is(err, unix.EINTR) {
			n, err = 1, nil
			continue
		}
		written += max(n, 0)
		blocks = behind(blocks, n)
	}
	if errors.Is(err, unix.EINVAL) {
		err = nil
	}
	if _, back := unix.FcntlInt(f.Fd(), unix.F_SETFL, flags); err == nil {
		err = back
	}
	if err != nil {
		err = &os.PathError{Op: "write", Path: f.Name(), Err: err}
	}
	return written, err
}
