//go:build !unix || race

package memory

// InHeap says that slabs are in the garbage collector's heap.
const InHeap = true

// blocks are of the heap: where the system has no mmap, and for the race detector, which sees no other memory. A block
// is one slab: the heap is never asked for more than is needed.
type blocks struct{}

func (*blocks) next(slab int) []byte { return make([]byte, slab) }

func (*blocks) free() {}

// release leaves a slab to the garbage collector.
func release([]byte) bool { return false }
