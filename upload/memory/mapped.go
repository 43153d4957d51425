//go:build unix && !race

package memory

import "golang.org/x/sys/unix"

// InHeap says that slabs are in the garbage collector's heap.
const InHeap = false

// blockSize is how much memory is taken from the system at once, in bytes.
const blockSize = HugeSlab

// blocks is memory of the system's.
type blocks struct{ all [][]byte }

// next takes one more block from the system, of which slabs of any size are cut.
func (m *blocks) next(int) []byte {
	b, err := unix.Mmap(-1, 0, blockSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil { // a limit on address space (ulimit -v), or on mappings
		return make([]byte, blockSize)
	}
	m.all = append(m.all, b)
	return b
}

// free gives the blocks back. Their slabs must not be used any more.
func (m *blocks) free() {
	for _, b := range m.all {
		_ = unix.Munmap(b) // can't fail for what Mmap returned
	}
}

// release gives a slab's memory back to the system, and reports whether the slab can be used again: it has other
// memory then.
func release(b []byte) bool {
	_ = unix.Madvise(b, unix.MADV_DONTNEED) // if it fails the memory stays with the slab
	return true
}
