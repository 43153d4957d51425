package tus

import (
	"context"
	"errors"
	"testing"
	"time"

	"holdfast/file"
)

// waits says that n requests wait for memory.
func (m *memory) waits(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		m.mu.Lock()
		now := m.waiting.Len()
		m.mu.Unlock()
		if now == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d wait for memory, want %d", now, n)
		}
	}
}

func got(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// take has bytes on their way out, held by nobody.
func (m *memory) take(ctx context.Context, n int64) error {
	s := m.join()
	err := s.get(ctx, n)
	if err == nil {
		s.leave(n)
	}
	return err
}

// isAsked looks whether a request was asked to give back what it holds.
func isAsked(s *share) bool { return len(s.asked) == 1 }

func TestMemoryAsksTheOldestFirst(t *testing.T) {
	m := newMemory(100, time.Hour, newMetrics())
	old, young := m.join(), m.join()
	for _, s := range []*share{old, young} {
		got(t, s.get(t.Context(), 30))
		s.filled()
	}
	if isAsked(old) || isAsked(young) {
		t.Fatal("somebody was asked while there was enough")
	}
	third := m.join()
	got(t, third.get(t.Context(), 20)) // 80 of 100: more than three quarters, and nothing on its way out
	if !isAsked(old) || isAsked(young) {
		t.Fatal("not the oldest was asked, or not only he")
	}
	old.leave(30)
	if isAsked(old) {
		t.Error("asked for what is on its way already")
	}
	old.filled() // with nothing: it has its turn behind the others
	m.free(30)
	if m.used != 50 || m.leaving != 0 {
		t.Errorf("%d used, %d leaving", m.used, m.leaving)
	}
	young.close()
	third.close()
	old.close()
	if m.used != 0 || m.leaving != 0 || m.filling.Len() != 0 {
		t.Errorf("%d used, %d leaving, %d in line after all is over", m.used, m.leaving, m.filling.Len())
	}
}

func TestMemoryWaitersComeInTurn(t *testing.T) {
	m := newMemory(100, time.Hour, newMetrics())
	got(t, m.take(t.Context(), 100))
	order := make(chan int, 2)
	for i := range 2 {
		go func() {
			if m.take(context.Background(), 60) == nil {
				order <- i
			}
		}()
		m.waits(t, i+1)
	}
	m.free(60)
	if first := <-order; first != 0 {
		t.Error("the second came first")
	}
	m.free(60)
	if second := <-order; second != 1 {
		t.Error(second)
	}
}

func TestMemoryWaiterIsAskedHimself(t *testing.T) {
	m := newMemory(100, time.Hour, newMetrics())
	s := m.join()
	got(t, s.get(t.Context(), 90)) // not filled yet: can't be asked
	done := make(chan error)
	go func() { done <- s.get(context.Background(), 20) }()
	m.waits(t, 1)
	s.filled()
	if err := <-done; !errors.Is(err, errAsked) {
		t.Fatal(err)
	}
	s.leave(90)
	m.free(90)
	got(t, s.get(t.Context(), 20))
	s.close()
	if m.used != 0 || m.leaving != 0 {
		t.Errorf("%d used, %d leaving", m.used, m.leaving)
	}
}

func TestMemoryWaitEndsWithItsContext(t *testing.T) {
	m := newMemory(100, time.Hour, newMetrics())
	got(t, m.take(t.Context(), 100))
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error)
	go func() { done <- m.take(ctx, 1) }()
	m.waits(t, 1)
	cause := errors.New("the lease was lost")
	cancel(cause)
	if err := <-done; !errors.Is(err, cause) {
		t.Error(err)
	}
	m.waits(t, 0)
	m.free(100)
	if m.used != 0 || m.leaving != 0 {
		t.Errorf("%d used, %d leaving", m.used, m.leaving)
	}
}

func TestMemoryKeepsTailsUntilItIsNeeded(t *testing.T) {
	m := newMemory(8*smallSlab, time.Hour, newMetrics())
	for _, key := range []string{"a", "b", "c"} {
		var b buffer
		got(t, m.take(t.Context(), smallSlab))
		b.grow(smallSlab)
		b.extend(copy(b.space(), key))
		m.keep(key, b)
	}
	b, there := m.recall("b")
	if !there || b.size != 1 || b.slabs[0].mem[0] != 'b' {
		t.Fatal(there, b.size)
	}
	m.keep("b", b) // now the youngest
	m.forget("c")
	m.mu.Lock()
	if !m.fits(7 * smallSlab) { // needs the room of one
		t.Error("there is no room for more than is kept")
	}
	m.mu.Unlock()
	if _, there := m.recall("a"); there {
		t.Error("the oldest was kept")
	}
	if b, there = m.recall("b"); !there {
		t.Error("more was thrown away than had to be")
	}
	m.free(b.held)
	if m.used != 0 || m.leaving != 0 || len(m.kept) != 0 {
		t.Errorf("%d used, %d leaving, %d kept", m.used, m.leaving, len(m.kept))
	}
}

// Who finds no place to put a tail away waits for one, at most as long as its upload is its own.
func TestMemoryFewPutAwayAtOnce(t *testing.T) {
	m := newMemory(100, time.Hour, newMetrics())
	hold, in := make(chan struct{}), make(chan struct{}, 2*maxAway)
	done := make(chan error)
	for range 2 * maxAway {
		go func() {
			done <- m.putAway(context.Background(), func() error { in <- struct{}{}; <-hold; return nil })
		}()
	}
	for range maxAway {
		<-in
	}
	lost := errors.New("the lease was lost")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(lost)
	if err := m.putAway(ctx, func() error { t.Error("one too many"); return nil }); !errors.Is(err, lost) {
		t.Error(err)
	}
	if len(in) != 0 {
		t.Error("more than there are places")
	}
	close(hold)
	for range 2 * maxAway {
		got(t, <-done)
	}
}

// What can never be had is refused at once, and keeps nobody waiting behind it.
func TestMemoryRefusesWhatCanNeverBe(t *testing.T) {
	m := newMemory(100, time.Hour, newMetrics())
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // whoever waits does not for long
	if err := m.take(ctx, 101); !errors.Is(err, file.ErrBusy) {
		t.Error(err)
	}
	got(t, m.take(t.Context(), 100))
}

// Every wait ends, for memory and for a place to put it away; and who waits behind is served.
func TestMemoryWaitEnds(t *testing.T) {
	m := newMemory(100, time.Millisecond, newMetrics())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // ends a wait that would not
	defer cancel()
	got(t, m.take(ctx, 100))
	if err := m.take(ctx, 1); !errors.Is(err, file.ErrBusy) {
		t.Error("for memory:", err)
	}
	m.waits(t, 0)
	for range maxAway {
		m.away <- struct{}{}
	}
	for range maxMoves {
		m.moves <- struct{}{}
	}
	never := func() error { t.Error("one too many"); return nil }
	if err := m.putAway(ctx, never); !errors.Is(err, file.ErrBusy) {
		t.Error("for a place:", err)
	}
	if err := m.move(ctx, never); !errors.Is(err, file.ErrBusy) {
		t.Error("for a place to move:", err)
	}
	m.free(100)
	got(t, m.take(t.Context(), 100))
}

// Clients that are waited for with a slab hold no more than half of the memory.
func TestMemoryLendsHalf(t *testing.T) {
	m := newMemory(8*largeSlab, time.Hour, newMetrics())
	for range 4 {
		if !m.lend() {
			t.Fatal("less than half")
		}
	}
	if m.lend() {
		t.Error("more than half")
	}
	m.unlend()
	if !m.lend() {
		t.Error("what came back is not lent again")
	}
}

// Uploads that do not move are seen: nobody who waits was given anything for half the patience.
func TestMovingUploads(t *testing.T) {
	e := &Engine{memory: newMemory(100, time.Hour, newMetrics())}
	m := e.memory
	got(t, m.take(t.Context(), 100))
	got(t, e.Moving(t.Context()))
	done := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- m.take(ctx, 1) }()
	m.waits(t, 1)
	got(t, e.Moving(t.Context()))
	m.mu.Lock() // an hour later
	m.waiting.Front().Value.(*wait).since = time.Now().Add(-time.Hour)
	m.mu.Unlock()
	if err := e.Moving(t.Context()); !errors.Is(err, file.ErrBusy) {
		t.Error(err)
	}
	m.mu.Lock() // though others were served a moment ago
	m.granted = time.Now()
	m.mu.Unlock()
	got(t, e.Moving(t.Context()))
	cancel()
	<-done
	got(t, e.Moving(t.Context()))
}
