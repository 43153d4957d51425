package tus

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// memory is what all requests together may hold of their clients' bytes. Who needs more
// than is left waits, and the client with him: TCP slows it down.
//
// Nobody may wait for ever, and a slow client must not hold what a fast one needs. So a
// part of the budget is always on its way out: when what nobody is about to give back
// grows over three quarters, the requests that hold their bytes longest are asked to put
// them away as tails. That takes no memory, so it can't wait for any.
type memory struct {
	limit   int64
	metrics *metrics

	mu      sync.Mutex
	used    int64
	leaving int64     // of used: going to the store, or asked for
	waiting list.List // of *wait, first come, first served
	filling list.List // of *share that hold bytes and were not asked, oldest first
	kept    map[string]*list.Element
	keeping list.List // of *keptTail, oldest first

	away chan struct{} // has room for those that put a tail away
}

// maxAway is how many tails go to the store at the same time. Each takes a connection and
// what belongs to one: thousands at once, when a crowd is asked or leaves, would need
// more memory than they give back. Only bytes that are here hold a place, and never a
// client that is waited for.
const maxAway = 32

func newMemory(limit int64, m *metrics) *memory {
	return &memory{limit: limit, metrics: m, kept: make(map[string]*list.Element), away: make(chan struct{}, maxAway)}
}

// putAway calls put when there is a place.
func (m *memory) putAway(ctx context.Context, put func() error) error {
	select {
	case m.away <- struct{}{}:
		defer func() { <-m.away }()
		return put()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errAsked says that whoever waits for memory should rather give some back.
var errAsked = errors.New("asked to give memory back")

// share is what one request holds. Its fields belong to memory.mu.
type share struct {
	m     *memory
	held  int64
	place *list.Element // in filling
	ask   bool          // asked, and not put away since
	asked chan struct{} // has room for one: the request should put away what it holds
	// known says that it has its turn among those that could be asked, or was asked. Only
	// the request itself ends that, so it may look without the lock: after every Read.
	known atomic.Bool
}

type wait struct {
	size    int64
	leaves  bool
	ready   chan struct{} // closed when granted
	granted bool
}

func (m *memory) join() *share { return &share{m: m, asked: make(chan struct{}, 1)} }

// get waits until n more bytes may be held. The error is errAsked if this very request
// should give back what it holds, and that of ctx if that ends.
func (s *share) get(ctx context.Context, n int64) error {
	if err := s.m.acquire(ctx, n, false, s.asked); err != nil {
		return err
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.held += n
	if s.ask {
		s.m.leaving += n
	}
	return nil
}

// filled says that the request holds bytes of its client's, which can be put away.
func (s *share) filled() {
	if s.known.Load() {
		return
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.known.Store(true)
	s.place = s.m.filling.PushBack(s)
	s.m.relieve()
}

// leave says that n of the bytes held are on their way to the store. Who sends them
// frees them.
func (s *share) leave(n int64) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.settle()
	s.held -= n
	s.m.leaving += n
}

// close frees what is still held.
func (s *share) close() {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.settle()
	s.m.used -= s.held
	s.held = 0
	s.m.wake()
}

// settle ends the share's turn among those that could be asked.
func (s *share) settle() {
	s.known.Store(false)
	if s.ask {
		s.m.leaving -= s.held
		s.ask = false
	}
	select {
	case <-s.asked:
	default:
	}
	if s.place != nil {
		s.m.filling.Remove(s.place)
		s.place = nil
	}
}

// take waits for n bytes that are to leave at once. Who calls it must hold nothing.
func (m *memory) take(ctx context.Context, n int64) error {
	return m.acquire(ctx, n, true, nil)
}

// tryTake is take, or false where it would have to wait.
func (m *memory) tryTake(n int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting.Len() > 0 || !m.fits(n) {
		return false
	}
	m.grant(n, true)
	return true
}

func (m *memory) grant(n int64, leaves bool) {
	m.used += n
	if leaves {
		m.leaving += n
	}
}

// free gives back n bytes that were leaving.
func (m *memory) free(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used -= n
	m.leaving -= n
	m.wake()
}

func (m *memory) acquire(ctx context.Context, n int64, leaves bool, asked <-chan struct{}) error {
	m.mu.Lock()
	if m.waiting.Len() == 0 && m.fits(n) {
		m.grant(n, leaves)
		m.relieve()
		m.mu.Unlock()
		return nil
	}
	w := &wait{size: n, leaves: leaves, ready: make(chan struct{})}
	place := m.waiting.PushBack(w)
	m.relieve()
	m.mu.Unlock()

	began := time.Now()
	defer func() { m.metrics.memoryWaits.Observe(time.Since(began).Seconds()) }()
	var err error
	select {
	case <-w.ready:
		return nil
	case <-asked:
		err = errAsked
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if w.granted {
		m.used -= n
		if leaves {
			m.leaving -= n
		}
	} else {
		m.waiting.Remove(place)
	}
	m.wake()
	return err
}

// fits reports whether n more bytes may be used, and throws kept tails away for them.
func (m *memory) fits(n int64) bool {
	for m.used+n > m.limit && m.keeping.Len() > 0 {
		m.evict(m.keeping.Front())
	}
	return m.used+n <= m.limit
}

func (m *memory) wake() {
	for m.waiting.Len() > 0 {
		first := m.waiting.Front()
		w := first.Value.(*wait)
		if !m.fits(w.size) {
			break
		}
		m.grant(w.size, w.leaves)
		w.granted = true
		close(w.ready)
		m.waiting.Remove(first)
	}
	m.relieve()
}

// relieve asks the oldest to give back, as long as too little is on its way out.
func (m *memory) relieve() {
	next := int64(0)
	if m.waiting.Len() > 0 {
		next = m.waiting.Front().Value.(*wait).size
	}
	for stuck := m.used - m.leaving; stuck > m.limit/4*3 || stuck+next > m.limit; stuck = m.used - m.leaving {
		switch {
		case m.keeping.Len() > 0:
			m.evict(m.keeping.Front())
		case m.filling.Len() > 0:
			s := m.filling.Remove(m.filling.Front()).(*share)
			s.place, s.ask = nil, true
			m.leaving += s.held
			s.asked <- struct{}{}
		default:
			return
		}
	}
}

// keptTail is a tail that is in the store, and still here.
type keptTail struct {
	key  string
	body buffer
}

// keep remembers the bytes of a tail, which were leaving, until they are needed or the
// memory is: the next request will often make a part of them. A tail's key stands for
// its bytes and never for others, so what is kept can't be out of date.
func (m *memory) keep(key string, body buffer) {
	m.mu.Lock()
	m.leaving -= body.held
	m.kept[key] = m.keeping.PushBack(&keptTail{key, body})
	m.wake()
	m.mu.Unlock()
}

// recall takes the bytes of a tail out of those kept, if they are there. They are
// leaving again.
func (m *memory) recall(key string) (buffer, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	place, there := m.kept[key]
	if !there {
		return buffer{}, false
	}
	delete(m.kept, key)
	body := m.keeping.Remove(place).(*keptTail).body
	m.leaving += body.held
	return body, true
}

// forget throws the bytes of a tail away.
func (m *memory) forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if place, there := m.kept[key]; there {
		m.evict(place)
		m.wake()
	}
}

func (m *memory) evict(place *list.Element) {
	t := m.keeping.Remove(place).(*keptTail)
	delete(m.kept, t.key)
	m.used -= t.body.held
	t.body.recycle()
}
