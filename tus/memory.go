package tus

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/file"
)

// memory is what all requests together may hold of their clients' bytes. Who needs more
// than is left waits, and the client with him: TCP slows it down.
//
// Nobody may wait for ever, and a slow client must not hold what a fast one needs. So a
// part of the budget is always on its way out: when what nobody is about to give back
// grows over three quarters, the requests that hold their bytes longest are asked to put
// them away as tails. That takes no memory, so it can't wait for any; nor does putting
// tails together (see payload). So nobody ever asks for more than one slab, all asks are
// about as large, and first come is first served. Should the store take nothing, each
// ask ends after the patience.
type memory struct {
	limit    int64
	patience time.Duration // the longest that anybody waits
	metrics  *metrics

	mu      sync.Mutex
	used    int64
	leaving int64     // of used: going to the store, or asked for
	waiting list.List // of *wait, first come, first served
	granted time.Time // when somebody who waited was last given some
	filling list.List // of *share that hold bytes and were not asked, oldest first
	kept    map[string]*list.Element
	keeping list.List // of *keptTail, oldest first

	lent  atomic.Int64  // slabs that clients are waited for with
	away  chan struct{} // has room for those that put a tail away
	moves chan struct{} // has room for those that send what they read from the store
}

// DefaultMemoryWait is the longest that a request waits for memory.
const DefaultMemoryWait = time.Minute

func newMemory(limit int64, patience time.Duration, m *metrics) *memory {
	return &memory{limit: limit, patience: patience, metrics: m, kept: make(map[string]*list.Element),
		away: make(chan struct{}, maxAway), moves: make(chan struct{}, maxMoves)}
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
	since   time.Time
	ready   chan struct{} // closed when granted
	granted bool
}

func (m *memory) join() *share { return &share{m: m, asked: make(chan struct{}, 1)} }

// get waits until n more bytes may be held. The error is errAsked if this very request
// should give back what it holds, that of ctx if that ends, and file.ErrBusy after the
// patience, or at once if there never will be so much.
func (s *share) get(ctx context.Context, n int64) error {
	if err := s.m.acquire(ctx, n, s.asked); err != nil {
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

// free gives back n bytes that were leaving.
func (m *memory) free(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used -= n
	m.leaving -= n
	m.wake()
}

func (m *memory) acquire(ctx context.Context, n int64, asked <-chan struct{}) error {
	if n > m.limit {
		return fmt.Errorf("%d bytes of memory are more than the %d that there are: %w", n, m.limit, file.ErrBusy)
	}
	m.mu.Lock()
	if m.waiting.Len() == 0 && m.fits(n) {
		m.used += n
		m.relieve()
		m.mu.Unlock()
		return nil
	}
	w := &wait{size: n, since: time.Now(), ready: make(chan struct{})}
	place := m.waiting.PushBack(w)
	m.relieve()
	m.mu.Unlock()

	patience := time.NewTimer(m.patience)
	defer patience.Stop()
	defer func() { m.metrics.memoryWaits.Observe(time.Since(w.since).Seconds()) }()
	var err error
	select {
	case <-w.ready:
		return nil
	case <-asked:
		err = errAsked
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-patience.C:
		err = fmt.Errorf("no %d bytes of memory within %s: %w", n, m.patience, file.ErrBusy)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if w.granted {
		m.used -= n
	} else {
		m.waiting.Remove(place)
	}
	m.wake()
	return err
}

// longest is how long the first in line has been waiting, and stuck how long nobody was
// given anything of those who wait.
func (m *memory) longest() (waits, stuck time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting.Len() == 0 {
		return 0, 0
	}
	first := m.waiting.Front().Value.(*wait)
	waits = time.Since(first.since)
	return waits, min(waits, time.Since(m.granted))
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
		m.used += w.size
		w.granted, m.granted = true, time.Now()
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
