package memory

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"holdfast/file"
)

// waits waits until n requests wait for memory.
func (b *Budget) waits(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		now := b.waiting.Len()
		b.mu.Unlock()
		if now == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d wait for memory, want %d", now, n)
		}
	}
}

func ignore(time.Duration) {}

func got(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// take takes n bytes of the budget as if they were being sent to the store.
func (b *Budget) take(ctx context.Context, n int64) error {
	s := b.Join()
	err := s.Get(ctx, n)
	if err == nil {
		s.Leave(n)
	}
	return err
}

// isAsked reports whether a request was asked to give back what it holds.
func isAsked(s *Share) bool { return len(s.asked) == 1 }

func TestAsksTheOldestFirst(t *testing.T) {
	b := New(100, time.Hour, ignore)
	old, young := b.Join(), b.Join()
	for _, s := range []*Share{old, young} {
		got(t, s.Get(t.Context(), 30))
		s.Filled()
	}
	if isAsked(old) || isAsked(young) {
		t.Fatal("somebody was asked while there was enough")
	}
	third := b.Join()
	got(t, third.Get(t.Context(), 20)) // 80 of 100: more than three quarters, and none of them leaving
	if !isAsked(old) || isAsked(young) {
		t.Fatal("not the oldest was asked, or not only he")
	}
	old.Leave(30)
	if isAsked(old) {
		t.Error("asked for what is on its way already")
	}
	old.Filled() // it holds nothing: its turn comes after the others
	b.Free(30)
	if b.used != 50 || b.leaving != 0 {
		t.Errorf("%d used, %d leaving", b.used, b.leaving)
	}
	young.Close()
	third.Close()
	old.Close()
	if b.used != 0 || b.leaving != 0 || b.filling.Len() != 0 {
		t.Errorf("%d used, %d leaving, %d in line after all is over", b.used, b.leaving, b.filling.Len())
	}
}

func TestWaitersComeInTurn(t *testing.T) {
	b := New(100, time.Hour, ignore)
	got(t, b.take(t.Context(), 100))
	order := make(chan int, 2)
	for i := range 2 {
		go func() {
			if b.take(context.Background(), 60) == nil {
				order <- i
			}
		}()
		b.waits(t, i+1)
	}
	b.Free(60)
	if first := <-order; first != 0 {
		t.Error("the second came first")
	}
	b.Free(60)
	if second := <-order; second != 1 {
		t.Error(second)
	}
}

func TestWaiterIsAskedHimself(t *testing.T) {
	b := New(100, time.Hour, ignore)
	s := b.Join()
	got(t, s.Get(t.Context(), 90)) // not filled yet, so it can't be asked
	done := make(chan error)
	go func() { done <- s.Get(context.Background(), 20) }()
	b.waits(t, 1)
	s.Filled()
	if err := <-done; !errors.Is(err, ErrAsked) {
		t.Fatal(err)
	}
	s.Leave(90)
	b.Free(90)
	got(t, s.Get(t.Context(), 20))
	s.Close()
	if b.used != 0 || b.leaving != 0 {
		t.Errorf("%d used, %d leaving", b.used, b.leaving)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	b := New(100, time.Hour, ignore)
	got(t, b.take(t.Context(), 100))
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error)
	go func() { done <- b.take(ctx, 1) }()
	b.waits(t, 1)
	cause := errors.New("the lease was lost")
	cancel(cause)
	if err := <-done; !errors.Is(err, cause) {
		t.Error(err)
	}
	b.waits(t, 0)
	b.Free(100)
	if b.used != 0 || b.leaving != 0 {
		t.Errorf("%d used, %d leaving", b.used, b.leaving)
	}
}

func TestKeepsTailsUntilItIsNeeded(t *testing.T) {
	b := New(8*SmallSlab, time.Hour, ignore)
	for _, key := range []string{"a", "b", "c"} {
		tail := b.NewBuffer()
		got(t, b.take(t.Context(), SmallSlab))
		tail.Grow(SmallSlab)
		tail.Extend(copy(tail.Space(), key))
		b.Keep(key, tail)
	}
	tail, there := b.Recall("b")
	if !there || tail.size != 1 || tail.slabs[0].mem[0] != 'b' {
		t.Fatal(there, tail.size)
	}
	b.Keep("b", tail) // now the youngest
	b.Drop("c")
	b.mu.Lock()
	if !b.fits(7 * SmallSlab) { // needs the room of one
		t.Error("there is no room for more than is kept")
	}
	b.mu.Unlock()
	if _, there := b.Recall("a"); there {
		t.Error("the oldest was kept")
	}
	if tail, there = b.Recall("b"); !there {
		t.Error("more was dropped than had to be")
	}
	b.Free(tail.held)
	if b.used != 0 || b.leaving != 0 || len(b.kept) != 0 {
		t.Errorf("%d used, %d leaving, %d kept", b.used, b.leaving, len(b.kept))
	}
}

// A tail waits for a place from which it is stored, at most as long as its upload's lease lasts.
func TestFewTailsAreStoredAtOnce(t *testing.T) {
	b := New(100, time.Hour, ignore)
	hold, in := make(chan struct{}), make(chan struct{}, 2*maxAway)
	done := make(chan error)
	for range 2 * maxAway {
		go func() {
			done <- b.StoreTail(context.Background(), func() error { in <- struct{}{}; <-hold; return nil })
		}()
	}
	for range maxAway {
		<-in
	}
	lost := errors.New("the lease was lost")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(lost)
	if err := b.StoreTail(ctx, func() error { t.Error("one too many"); return nil }); !errors.Is(err, lost) {
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

// A request for more than the budget is refused at once, and blocks no request behind it.
func TestRefusesWhatCanNeverBe(t *testing.T) {
	b := New(100, time.Hour, ignore)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // a request that waits does not wait for long
	if err := b.take(ctx, 101); !errors.Is(err, file.ErrBusy) {
		t.Error(err)
	}
	got(t, b.take(t.Context(), 100))
}

// Every wait ends, for memory and for a place; and requests that wait behind it are served.
func TestWaitEnds(t *testing.T) {
	b := New(100, time.Millisecond, ignore)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // ends a wait that would never end
	defer cancel()
	got(t, b.take(ctx, 100))
	if err := b.take(ctx, 1); !errors.Is(err, file.ErrBusy) {
		t.Error("for memory:", err)
	}
	b.waits(t, 0)
	for range maxAway {
		b.away <- struct{}{}
	}
	for range maxMoves {
		b.moves <- struct{}{}
	}
	never := func() error { t.Error("one too many"); return nil }
	if err := b.StoreTail(ctx, never); !errors.Is(err, file.ErrBusy) {
		t.Error("for a place:", err)
	}
	if err := b.Move(ctx, never); !errors.Is(err, file.ErrBusy) {
		t.Error("for a place to move:", err)
	}
	b.Free(100)
	got(t, b.take(t.Context(), 100))
}

// Slabs into which clients are being read are at most half of the memory.
func TestLendsHalf(t *testing.T) {
	b := New(8*LargeSlab, time.Hour, ignore)
	for range 4 {
		if b.Lend(LargeSlab) != LargeSlab {
			t.Fatal("less than half")
		}
	}
	if b.Lend(LargeSlab) != 0 {
		t.Error("more than half")
	}
	b.Unlend(LargeSlab)
	if b.Lend(LargeSlab) != LargeSlab {
		t.Error("what came back is not lent again")
	}
}

// Large slabs are lent while few are: clients that may send nothing more hold a part of the memory with them.
func TestLendsFewLargeSlabs(t *testing.T) {
	b := New(16*HugeSlab, time.Hour, ignore)
	lent := map[int]int{}
	for size := HugeSlab; size > 0; {
		if size = b.Lend(HugeSlab); size > 0 {
			lent[size]++
		}
	}
	want := map[int]int{HugeSlab: 2, WideSlab: 8, LargeSlab: 64}
	if !maps.Equal(lent, want) {
		t.Errorf("lent %v, want %v", lent, want)
	}
}

// Moving notices that uploads do not move: no waiting request was granted anything for half the patience.
func TestMoving(t *testing.T) {
	b := New(100, time.Hour, ignore)
	got(t, b.take(t.Context(), 100))
	got(t, b.Moving())
	done := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- b.take(ctx, 1) }()
	b.waits(t, 1)
	got(t, b.Moving())
	b.mu.Lock() // an hour later
	b.waiting.Front().Value.(*wait).since = time.Now().Add(-time.Hour)
	b.mu.Unlock()
	if err := b.Moving(); !errors.Is(err, file.ErrBusy) {
		t.Error(err)
	}
	b.mu.Lock() // though others were served a moment ago
	b.granted = time.Now()
	b.mu.Unlock()
	got(t, b.Moving())
	cancel()
	<-done
	got(t, b.Moving())
}
