package memory

import (
	"os"
	"sync"
	"time"
)

// Bytes are held in slabs of these sizes, in bytes. The first ones of a buffer are small, so that what is held is never
// much more than what has come. A request only ever waits for a slab of LargeSlab at most; larger ones are for clients
// that are fast, while there is plenty.
const (
	SmallSlab  = 4 << 10
	MiddleSlab = 16 << 10
	LargeSlab  = 64 << 10
	WideSlab   = 256 << 10
	HugeSlab   = 1 << 20
)

// Step is how many slabs of a size make one of the next larger size.
const Step = 4

// coolAfter is how long a free slab that nobody needs keeps its memory.
const coolAfter = time.Second

// slabs are the slabs that are in use, and the free ones. They lie outside of the garbage collector's heap: there,
// garbage may double what is held. A free slab is warm, and has its memory, or cold: then the system has that, and
// gives it again when the slab is used.
//
// The slabs in use and the warm ones together have at most limit bytes. Warm ones that were not needed for coolAfter
// become cold.
type slabs struct {
	limit  int64
	page   int     // bytes of memory that the system takes back at once: a smaller slab shares them with others
	blocks *blocks // what the slabs are cut from

	mu        sync.Mutex
	shelves   map[int]*shelf // by size
	used      int64          // bytes of slabs in use
	warm      int64          // bytes of warm ones
	leastWarm int64          // the least that warm was since coolUnused last ran, in bytes
	checkDue  bool           // a call of coolUnused is due
}

// shelf has the free slabs of one size. The last ones were used last.
type shelf struct{ warm, cold [][]byte }

func newSlabs(limit int64) *slabs {
	s := &slabs{limit: limit, page: os.Getpagesize(), blocks: &blocks{}, shelves: make(map[int]*shelf)}
	for size := SmallSlab; size <= HugeSlab; size *= Step {
		s.shelves[size] = &shelf{}
	}
	return s
}

// get returns a slab of one of the sizes.
func (s *slabs) get(size int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used += int64(size)
	free := s.shelves[size]
	if len(free.warm) > 0 {
		s.warm -= int64(size)
		s.leastWarm = min(s.leastWarm, s.warm)
		return pop(&free.warm)
	}
	s.cool(s.used + s.warm - s.limit)
	if len(free.cold) == 0 {
		free.cold = carve(s.blocks.next(size), size)
	}
	return pop(&free.cold)
}

// put takes a slab back.
func (s *slabs) put(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	free := s.shelves[len(b)]
	free.warm = append(free.warm, b)
	s.used -= int64(len(b))
	s.warm += int64(len(b))
	if !s.checkDue {
		s.checkDue, s.leastWarm = true, s.warm
		time.AfterFunc(coolAfter, s.coolUnused)
	}
}

// coolUnused gives back the memory of slabs that were not needed since it last ran.
func (s *slabs) coolUnused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cool(s.leastWarm)
	s.leastWarm = s.warm
	if s.checkDue = s.warm > 0; s.checkDue {
		time.AfterFunc(coolAfter, s.coolUnused)
	}
}

// cool gives the memory of warm slabs back to the system: of n bytes, or a slab more. The largest go first, as that
// takes the fewest calls. Slabs that are smaller than a page stay warm.
func (s *slabs) cool(n int64) {
	for size := HugeSlab; size >= max(SmallSlab, s.page); size /= Step {
		free := s.shelves[size]
		for n > 0 && len(free.warm) > 0 {
			b := free.warm[0]
			free.warm[0], free.warm = nil, free.warm[1:]
			n -= int64(size)
			s.warm -= int64(size)
			if release(b) {
				free.cold = append(free.cold, b)
			}
		}
	}
	s.leastWarm = min(s.leastWarm, s.warm)
}

// carve cuts a block into slabs.
func carve(block []byte, size int) (all [][]byte) {
	for ; len(block) > 0; block = block[size:] {
		all = append(all, block[:size:size])
	}
	return all
}

// pop takes the last slab off a list.
func pop(list *[][]byte) []byte {
	last := len(*list) - 1
	b := (*list)[last]
	(*list)[last], *list = nil, (*list)[:last]
	return b
}
