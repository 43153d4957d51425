package tus

import (
	"context"
	"errors"
	"testing"
	"time"
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

// isAsked looks whether a request was asked to give back what it holds.
func isAsked(s *share) bool { return len(s.asked) == 1 }

func TestMemoryAsksTheOldestFirst(t *testing.T) {
	m := newMemory(100, newMetrics())
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
	m := newMemory(100, newMetrics())
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
	if m.tryTake(1) {
		t.Error("somebody pushed to the front")
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
	m := newMemory(100, newMetrics())
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
	m := newMemory(100, newMetrics())
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
	m := newMemory(8*smallSlab, newMetrics())
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
	got(t, m.take(t.Context(), 7*smallSlab)) // needs the room of one
	if _, there := m.recall("a"); there {
		t.Error("the oldest was kept")
	}
	if b, there = m.recall("b"); !there {
		t.Error("more was thrown away than had to be")
	}
	m.free(b.held)
	m.free(7 * smallSlab)
	if m.used != 0 || m.leaving != 0 || len(m.kept) != 0 {
		t.Errorf("%d used, %d leaving, %d kept", m.used, m.leaving, len(m.kept))
	}
}

// Who finds no place to put a tail away waits for one, at most as long as its upload is its own.
func TestMemoryFewPutAwayAtOnce(t *testing.T) {
	m := newMemory(100, newMetrics())
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
