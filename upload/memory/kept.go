package memory

import (
	"container/list"
	"time"
)

// maxKept is how long a tail is kept: a client that has more to send has sent it by then, and memory that nobody needs
// is the system's.
const maxKept = 30 * time.Second

// keptTail is a tail that is stored and still in memory.
type keptTail struct {
	key   string
	body  Buffer
	since time.Time
}

// Keep keeps the bytes of a stored tail until they are recalled or their memory is needed, or for maxKept: the next
// request will often make a part of them. The key of a tail is never used for other bytes, so kept bytes can't be out
// of date. The bytes were counted as leaving.
func (b *Budget) Keep(key string, body Buffer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leaving -= body.held
	b.kept[key] = b.keeping.PushBack(&keptTail{key, body, time.Now()})
	if !b.forgets {
		b.forgets = true
		time.AfterFunc(maxKept, b.forget)
	}
	b.wake()
}

// Recall removes the bytes of a tail from those kept and returns them, if they are there. They count as leaving again.
func (b *Budget) Recall(key string) (Buffer, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	place, there := b.kept[key]
	if !there {
		return Buffer{}, false
	}
	delete(b.kept, key)
	body := b.keeping.Remove(place).(*keptTail).body
	b.leaving += body.held
	return body, true
}

// Drop drops the bytes of a tail, if they are kept.
func (b *Budget) Drop(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if place, there := b.kept[key]; there {
		b.evict(place)
		b.wake()
	}
}

// forget drops the tails that were kept for maxKept.
func (b *Budget) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forgets = false
	for b.keeping.Len() > 0 && !b.forgets {
		left := maxKept - time.Since(b.keeping.Front().Value.(*keptTail).since)
		if b.forgets = left > 0; b.forgets {
			time.AfterFunc(left, b.forget)
		} else {
			b.evict(b.keeping.Front())
		}
	}
	b.wake()
}

func (b *Budget) evict(place *list.Element) {
	t := b.keeping.Remove(place).(*keptTail)
	delete(b.kept, t.key)
	b.used -= t.body.held
	t.body.Recycle()
}
