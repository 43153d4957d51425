//go:build !unix || race

package memory

// InHeap says that slabs are in the garbage collector's heap.
const InHeap = true

// blocks are of the heap: where the system has no mmap, and for the race detector, which sees no other memory.
type blocks struct{}

func (*blocks) next() []byte { return make([]byte, blockSize) }

func (*blocks) free() {}

// release leaves a slab to the garbage collector.
func release([]byte) bool { return false }
