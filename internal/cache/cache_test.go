package cache

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

var errLoad = errors.New("load")

// source counts how often it was asked, and fails while err is set.
type source struct {
	n   atomic.Int64
	err error
}

func (s *source) load(context.Context, string) (int64, error) { return s.n.Add(1), s.err }

func get(t *testing.T, c *Cache[string, int64], s *source) int64 {
	t.Helper()
	v, err := c.Get(t.Context(), "k", s.load)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestValuesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		until := func(n int64) time.Time { // the third ends early
			if n == 3 {
				return began.Add(14 * time.Second)
			}
			return time.Time{}
		}
		c, s := New[string](Options[int64]{TTL: 10 * time.Second, Until: until}), &source{}
		defer c.Close()
		for _, step := range []struct {
			after time.Duration
			want  int64
		}{{0, 1}, {9 * time.Second, 1}, {2 * time.Second, 2}} {
			time.Sleep(step.after)
			if v := get(t, c, s); v != step.want {
				t.Errorf("after %s more: %d, want %d", step.after, v, step.want)
			}
		}
		c.Invalidate("k")
		if v := get(t, c, s); v != 3 {
			t.Errorf("invalidated: %d", v)
		}
		time.Sleep(4 * time.Second) // 15 since the beginning
		if v := get(t, c, s); v != 4 {
			t.Errorf("behind its own end: %d", v)
		}
	})
}

func TestErrorsAreNotCached(t *testing.T) {
	c, s := New[string](Options[int64]{TTL: time.Hour}), &source{err: errLoad}
	defer c.Close()
	for range 3 {
		if _, err := c.Get(t.Context(), "k", s.load); !errors.Is(err, errLoad) {
			t.Error(err)
		}
	}
	if c.Len() != 0 || s.n.Load() != 3 {
		t.Errorf("%d are kept, loaded %d times", c.Len(), s.n.Load())
	}
}

func TestWithoutTTL(t *testing.T) {
	c, s := New[string](Options[int64]{}), &source{}
	defer c.Close()
	for want := int64(1); want <= 3; want++ {
		if v := get(t, c, s); v != want {
			t.Errorf("%d, want %d", v, want)
		}
	}
	c.Invalidate("k")
	if c.Len() != 0 {
		t.Errorf("%d are kept", c.Len())
	}
}

func TestSize(t *testing.T) {
	c := New[int](Options[int64]{TTL: time.Hour, Size: 10})
	defer c.Close()
	for i := range 1000 {
		if _, err := c.Get(t.Context(), i, func(context.Context, int) (int64, error) { return 1, nil }); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.Len(); n == 0 || n > 10 {
		t.Errorf("%d are kept", n)
	}
}

// Concurrent requests share one load, and the request that started it may be canceled meanwhile.
func TestFirstOfManyGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New[string](Options[int64]{TTL: time.Hour})
		defer c.Close()
		var loads atomic.Int64
		slow := func(ctx context.Context, _ string) (int64, error) {
			loads.Add(1)
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(time.Second):
				return 7, nil
			}
		}
		ctx, hangUp := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() { _, err := c.Get(ctx, "k", slow); first <- err }()
		synctest.Wait()
		others := make(chan error, 10)
		for range cap(others) {
			go func() {
				v, err := c.Get(t.Context(), "k", slow)
				if err == nil && v != 7 {
					err = errLoad
				}
				others <- err
			}()
		}
		synctest.Wait()
		hangUp()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("who went away: %v", err)
		}
		for range cap(others) {
			if err := <-others; err != nil {
				t.Errorf("who stayed: %v", err)
			}
		}
		if loads.Load() != 2 {
			t.Errorf("loaded %d times", loads.Load())
		}
	})
}

// A request that waits for another's load returns when its own context ends.
func TestWaitingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New[string](Options[int64]{TTL: time.Hour})
		defer c.Close()
		proceed := make(chan struct{})
		first := make(chan error, 1)
		go func() {
			_, err := c.Get(t.Context(), "k", func(context.Context, string) (int64, error) { <-proceed; return 1, nil })
			first <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Get(ctx, "k", (&source{}).load); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waited: %v", err)
		}
		close(proceed)
		if err := <-first; err != nil {
			t.Error(err)
		}
	})
}

func TestInvalidatedWhileLoading(t *testing.T) {
	c := New[string](Options[int64]{TTL: time.Hour})
	defer c.Close()
	var s source
	var first sync.Once
	begun, proceed, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		_, err := c.Get(t.Context(), "k", func(ctx context.Context, key string) (int64, error) {
			first.Do(func() { close(begun) }) // there is a second load
			<-proceed
			return s.load(ctx, key)
		})
		done <- err
	}()
	<-begun
	c.Invalidate("k")
	close(proceed)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if v := get(t, c, &s); v == 1 {
		t.Error("the old value was kept")
	}
}

func TestMetrics(t *testing.T) {
	c, s, r := New[string](Options[int64]{TTL: time.Hour}), &source{}, prometheus.NewPedanticRegistry()
	defer c.Close()
	c.Register(r, "tests")
	get(t, c, s)
	get(t, c, s)
	get(t, c, s)
	want := `# HELP holdfast_cache_hits_total Lookups that a cache has answered.
# TYPE holdfast_cache_hits_total counter
holdfast_cache_hits_total{cache="tests"} 2
# HELP holdfast_cache_misses_total Lookups that a cache could not answer.
# TYPE holdfast_cache_misses_total counter
holdfast_cache_misses_total{cache="tests"} 1
`
	if err := testutil.GatherAndCompare(r, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
