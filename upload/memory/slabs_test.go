package memory

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

// A free slab is used again, and not made anew; when nobody has needed it for a while its memory is the system's.
func TestFreeSlabs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlabs(4 * HugeSlab)
		first := s.get(HugeSlab)
		s.put(first)
		again := s.get(HugeSlab)
		if &first[0] != &again[0] {
			t.Error("a free slab was not used again")
		}
		other := s.get(LargeSlab)
		s.put(again)
		s.put(other)
		for range 3 { // one of the two is in use now and then: it stays
			time.Sleep(coolAfter)
			synctest.Wait()
			s.put(s.get(LargeSlab))
		}
		if warm := s.has(); warm != LargeSlab {
			t.Errorf("%d bytes are warm, want the slab that is in use now and then", warm)
		}
		time.Sleep(3 * coolAfter)
		synctest.Wait()
		if s.warm != 0 || s.used != 0 || s.checkDue {
			t.Errorf("%d bytes warm, %d used, another look: %v", s.warm, s.used, s.checkDue)
		}
		clear(s.get(HugeSlab)) // it has memory again
	})
}

// has returns how many bytes of free slabs are warm.
func (s *slabs) has() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.warm
}

// The slabs in use and the free ones together never have more memory than the budget, in whatever sizes they come.
func TestFreeSlabsStayWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlabs(2 * HugeSlab)
		for size := SmallSlab; size <= HugeSlab; size *= Step {
			var all [][]byte
			for range 2 * HugeSlab / size {
				all = append(all, s.get(size))
				if s.used+s.warm > s.limit {
					t.Fatalf("slabs of %d: %d bytes used, %d warm", size, s.used, s.warm)
				}
			}
			for _, b := range all {
				s.put(b)
			}
		}
		time.Sleep(3 * coolAfter)
	})
}

// A slab that shares a page with others stays as it is: the system takes back whole pages, of 4 to 64 KiB.
func TestFreeSlabsOfLargePages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlabs(4 * HugeSlab)
		s.page = 64 << 10
		for _, size := range []int{SmallSlab, MiddleSlab, LargeSlab} {
			b := s.get(size)
			b[0] = 1
			s.put(b)
		}
		time.Sleep(3 * coolAfter)
		synctest.Wait()
		if warm := s.has(); warm != SmallSlab+MiddleSlab {
			t.Errorf("%d bytes are warm, want the slabs that are smaller than a page", warm)
		}
		if s.get(SmallSlab)[0] != 1 || s.get(MiddleSlab)[0] != 1 {
			t.Error("a slab that shares its page was given back")
		}
	})
}

// A large slab with a few bytes becomes a small one, unless another buffer has its first bytes.
func TestFit(t *testing.T) {
	b := New(4*HugeSlab, time.Hour, ignore)
	buf := b.NewBuffer()
	buf.Grow(HugeSlab)
	content := bytes.Repeat([]byte("0123456789"), 1000)
	buf.Extend(copy(buf.Space(), content))
	if freed := buf.Fit(); freed != HugeSlab-MiddleSlab || buf.Held() != MiddleSlab || buf.Size() != int64(len(content)) {
		t.Errorf("%d bytes freed, %d held for %d", freed, buf.Held(), buf.Size())
	}
	got := bytes.Join(buf.Pieces(nil), nil)
	if !bytes.Equal(got, content) {
		t.Error("other bytes")
	}
	if freed := buf.Fit(); freed != 0 {
		t.Errorf("%d bytes freed of a slab that fits", freed)
	}
	buf.Grow(HugeSlab)
	buf.Extend(copy(buf.Space(), content))
	sent := buf.Split(true)
	buf.Extend(copy(buf.Space(), content))
	if freed := buf.Fit(); freed != 0 {
		t.Error("the slab was freed of which another buffer has the first bytes")
	}
	sent.Recycle()
	buf.Recycle()
	if b.slabs.used != 0 {
		t.Errorf("%d bytes of slabs are in use", b.slabs.used)
	}
}

// More than a request waits for is there while there is plenty, and never for a request that was asked for memory.
func TestTry(t *testing.T) {
	b := New(100, time.Hour, ignore)
	s := b.Join()
	if !s.Try(50) || s.Try(1) {
		t.Error("not the half of the memory that may be had without waiting")
	}
	s.Filled()
	other := b.Join()
	got(t, other.Get(t.Context(), 40)) // now s is asked
	if s.Try(1) {
		t.Error("more for a request that should give back what it has")
	}
	s.Return(20)
	s.Close()
	other.Close()
	if b.used != 0 || b.leaving != 0 {
		t.Errorf("%d used, %d leaving", b.used, b.leaving)
	}
}

// A kept tail is forgotten after a while: its client has gone.
func TestKeptTailsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(8*SmallSlab, time.Hour, ignore)
		keep := func(key string) {
			tail := b.NewBuffer()
			got(t, b.take(t.Context(), SmallSlab))
			tail.Grow(SmallSlab)
			b.Keep(key, tail)
		}
		keep("old")
		time.Sleep(maxKept / 2)
		keep("new")
		time.Sleep(maxKept/2 + time.Second)
		synctest.Wait()
		if _, there := b.Recall("old"); there {
			t.Error("the old one is still kept")
		}
		tail, there := b.Recall("new")
		if !there {
			t.Fatal("the new one was forgotten with the old")
		}
		b.Keep("new", tail)
		time.Sleep(maxKept + coolAfter*3)
		synctest.Wait()
		if b.Stats().Kept != 0 || b.Stats().Used != 0 || b.slabs.warm != 0 {
			t.Errorf("%+v, %d bytes of slabs are warm", b.Stats(), b.slabs.warm)
		}
	})
}
