// Package memory is the budget for the bytes of clients that are held in memory: how much all requests together may
// hold, which ones wait for more, and which are asked to give some back.
//
// No request waits forever, and a slow client must not hold what a fast one needs. So a part of the budget is always
// being freed: when more than three quarters of it are held by requests that are not about to give anything back,
// those that have held bytes longest are asked to store them as tails. That needs no memory, so it never waits for
// any, and neither does merging tails. No request ever asks for more than one slab: all requests for memory are about
// as large, and are granted in the order in which they came. If the store accepts nothing, each wait ends after the
// budget's patience.
package memory

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/file"
)

// DefaultWait is the longest that a request waits for memory.
const DefaultWait = time.Minute

// ErrAsked says that a request that waits for memory should give some back instead.
var ErrAsked = errors.New("asked to give memory back")

// Budget is what all requests together may hold. Its methods may be called from several
// goroutines.
type Budget struct {
	limit    int64
	patience time.Duration // the longest wait of a request
	observe  func(waited time.Duration)

	mu      sync.Mutex
	used    int64
	leaving int64     // of used: being sent to the store, or asked for
	waiting list.List // of *wait, first come, first served
	granted time.Time // when a waiting request was last granted some
	filling list.List // of *Share that hold bytes and were not asked, oldest first
	kept    map[string]*list.Element
	keeping list.List // of *keptTail, oldest first
	forgets bool      // a call of forget is due

	slabs *slabs
	lent  atomic.Int64  // bytes of slabs into which clients are being read
	away  chan struct{} // places for requests that store a tail
	moves chan struct{} // places for requests that send what they read from the store
}

// New returns a budget of limit bytes. A request waits at most patience; observe is called with each wait.
func New(limit int64, patience time.Duration, observe func(waited time.Duration)) *Budget {
	b := &Budget{limit: limit, patience: patience, observe: observe, kept: make(map[string]*list.Element),
		slabs: newSlabs(limit), away: make(chan struct{}, maxAway), moves: make(chan struct{}, maxMoves)}
	runtime.AddCleanup(b.slabs, (*blocks).free, b.slabs.blocks)
	return b
}

// Stats are a budget's figures at one moment.
type Stats struct {
	Limit   int64         // bytes
	Used    int64         // bytes that are held, Kept included
	Kept    int64         // bytes of tails that are stored already and kept for the next request
	Waiting int           // requests that wait
	Longest time.Duration // how long the first in line has waited
	Stuck   time.Duration // how long no waiting request was granted anything
}

// Stats returns the current figures.
func (b *Budget) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Stats{Limit: b.limit, Used: b.used, Waiting: b.waiting.Len()}
	for e := b.keeping.Front(); e != nil; e = e.Next() {
		s.Kept += e.Value.(*keptTail).body.held
	}
	if s.Waiting > 0 {
		s.Longest = time.Since(b.waiting.Front().Value.(*wait).since)
		s.Stuck = min(s.Longest, time.Since(b.granted))
	}
	return s
}

// Moving returns file.ErrBusy if requests wait, and none of them was granted anything for half of the patience: the
// store accepts nothing, or too little.
func (b *Budget) Moving() error {
	if stuck := b.Stats().Stuck; stuck >= b.patience/2 {
		return fmt.Errorf("uploads have waited for memory for %s: %w", stuck.Round(time.Second), file.ErrBusy)
	}
	return nil
}

// Share is what one request holds. Its fields are guarded by Budget.mu.
type Share struct {
	b     *Budget
	held  int64
	place *list.Element // in filling
	ask   bool          // asked, and has stored nothing since
	asked chan struct{} // has room for one: the request should store what it holds
	// listed says that the share is, or was, among those that can be asked. Only the request itself resets it, so it
	// may be read without the lock: after every Read.
	listed atomic.Bool
}

// wait is a request that waits for size bytes.
type wait struct {
	size    int64
	since   time.Time
	ready   chan struct{} // closed when granted
	granted bool
}

// Join returns the share of a new request. It must be closed.
func (b *Budget) Join() *Share { return &Share{b: b, asked: make(chan struct{}, 1)} }

// Asked receives when the request should give back what it holds.
func (s *Share) Asked() <-chan struct{} { return s.asked }

// Get waits until n more bytes may be held. The error is ErrAsked if this request itself should give back what it
// holds, the cause of ctx if that ends, and file.ErrBusy after the patience, or at once if the budget is smaller than
// n.
func (s *Share) Get(ctx context.Context, n int64) error {
	if err := s.b.acquire(ctx, n, s.asked); err != nil {
		return err
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.held += n
	if s.ask {
		s.b.leaving += n
	}
	return nil
}

// Try is Get for more than a slab that a request waits for: it reports whether there is plenty, and never waits.
func (s *Share) Try(n int64) bool {
	b := s.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.ask || b.waiting.Len() > 0 || b.used-b.leaving+n > b.limit/2 || !b.fits(n) {
		return false
	}
	b.used += n
	s.held += n
	return true
}

// Filled says that the request holds bytes of its client, which can be stored as a tail.
func (s *Share) Filled() {
	if s.listed.Load() {
		return
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.listed.Store(true)
	s.place = s.b.filling.PushBack(s)
	s.b.relieve()
}

// Leave says that n of the held bytes are being sent to the store. The sender frees them with Budget.Free.
func (s *Share) Leave(n int64) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.unlist()
	s.held -= n
	s.b.leaving += n
}

// Return gives back n of the bytes held.
func (s *Share) Return(n int64) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.held -= n
	s.b.used -= n
	if s.ask {
		s.b.leaving -= n
	}
	s.b.wake()
}

// Close frees what is still held.
func (s *Share) Close() {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.unlist()
	s.b.used -= s.held
	s.held = 0
	s.b.wake()
}

// unlist takes the share off the list of those that can be asked.
func (s *Share) unlist() {
	s.listed.Store(false)
	if s.ask {
		s.b.leaving -= s.held
		s.ask = false
	}
	select {
	case <-s.asked:
	default:
	}
	if s.place != nil {
		s.b.filling.Remove(s.place)
		s.place = nil
	}
}

// Free frees n bytes that were leaving.
func (b *Budget) Free(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	b.leaving -= n
	b.wake()
}

func (b *Budget) acquire(ctx context.Context, n int64, asked <-chan struct{}) error {
	if n > b.limit {
		return fmt.Errorf("%d bytes of memory are more than the whole budget of %d: %w", n, b.limit, file.ErrBusy)
	}
	b.mu.Lock()
	if b.waiting.Len() == 0 && b.fits(n) {
		b.used += n
		b.relieve()
		b.mu.Unlock()
		return nil
	}
	w := &wait{size: n, since: time.Now(), ready: make(chan struct{})}
	place := b.waiting.PushBack(w)
	b.relieve()
	b.mu.Unlock()

	patience := time.NewTimer(b.patience)
	defer patience.Stop()
	defer func() { b.observe(time.Since(w.since)) }()
	var err error
	select {
	case <-w.ready:
		return nil
	case <-asked:
		err = ErrAsked
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-patience.C:
		err = fmt.Errorf("no %d bytes of memory within %s: %w", n, b.patience, file.ErrBusy)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.granted {
		b.used -= n
	} else {
		b.waiting.Remove(place)
	}
	b.wake()
	return err
}

// fits reports whether n more bytes may be used, and drops kept tails to make room.
func (b *Budget) fits(n int64) bool {
	for b.used+n > b.limit && b.keeping.Len() > 0 {
		b.evict(b.keeping.Front())
	}
	return b.used+n <= b.limit
}

// wake grants the requests of the first in line, as far as there is room.
func (b *Budget) wake() {
	for b.waiting.Len() > 0 {
		first := b.waiting.Front()
		w := first.Value.(*wait)
		if !b.fits(w.size) {
			break
		}
		b.used += w.size
		w.granted, b.granted = true, time.Now()
		close(w.ready)
		b.waiting.Remove(first)
	}
	b.relieve()
}

// relieve asks the oldest shares to give memory back, while too little is leaving.
func (b *Budget) relieve() {
	next := int64(0)
	if b.waiting.Len() > 0 {
		next = b.waiting.Front().Value.(*wait).size
	}
	for stuck := b.used - b.leaving; stuck > b.limit/4*3 || stuck+next > b.limit; stuck = b.used - b.leaving {
		switch {
		case b.keeping.Len() > 0:
			b.evict(b.keeping.Front())
		case b.filling.Len() > 0:
			s := b.filling.Remove(b.filling.Front()).(*Share)
			s.place, s.ask = nil, true
			b.leaving += s.held
			s.asked <- struct{}{}
		default:
			return
		}
	}
}
