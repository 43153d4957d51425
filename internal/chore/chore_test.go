package chore

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errDown = errors.New("down")

// rows implements leases as package db does.
type rows struct {
	mu     sync.Mutex
	holder string
	until  time.Time
	down   bool
	taken  int
}

func (r *rows) TakeChore(_ context.Context, _, holder string, ttl time.Duration) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken++
	if r.down {
		return false, errDown
	}
	if r.holder != holder && time.Now().Before(r.until) {
		return false, nil
	}
	r.holder, r.until = holder, time.Now().Add(ttl)
	return true, nil
}

func (r *rows) asked() int { r.mu.Lock(); defer r.mu.Unlock(); return r.taken }

func (r *rows) set(change func()) { r.mu.Lock(); defer r.mu.Unlock(); change() }

func TestOneReplicaWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rows{}
		var mu sync.Mutex
		did := map[string]int{}
		var stops []context.CancelFunc
		var all sync.WaitGroup
		for range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			stops = append(stops, cancel)
			c := New(r, "test", 20*time.Second)
			all.Go(func() {
				c.Every(ctx, time.Second, func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					did[c.Holder]++
					return errDown // the next call is made all the same
				}, slog.New(slog.DiscardHandler))
			})
		}
		count := func() (replicas, calls int) {
			mu.Lock()
			defer mu.Unlock()
			for _, n := range did {
				calls += n
			}
			return len(did), calls
		}
		time.Sleep(100*time.Second - time.Millisecond)
		if replicas, calls := count(); replicas != 1 || calls != 100 {
			t.Errorf("%d replicas have worked, %d times", replicas, calls)
		}
		if asked := r.asked(); asked > 70 { // 20 renewals, and those of the others
			t.Errorf("the lease was asked for %d times", asked)
		}
		// The database is gone: no replica works without a valid lease.
		r.set(func() { r.down = true })
		time.Sleep(20 * time.Second)
		_, before := count()
		time.Sleep(20 * time.Second)
		if _, after := count(); after != before {
			t.Errorf("%d calls without a lease", after-before)
		}
		// When a replica dies, another one takes over.
		r.set(func() { r.down, r.holder, r.until = false, "somebody who died", time.Now().Add(10*time.Second) })
		time.Sleep(9 * time.Second)
		if _, after := count(); after != before {
			t.Errorf("%d calls while another has the lease", after-before)
		}
		time.Sleep(10 * time.Second)
		if _, after := count(); after == before {
			t.Error("nobody took over")
		}
		for _, stop := range stops {
			stop()
		}
		all.Wait()
	})
}

func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rows{}
		var running, ran int
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				err := New(r, "test", 10*time.Second).Alone(t.Context(), func(context.Context) error {
					if running++; running != 1 {
						t.Errorf("%d at once", running)
					}
					time.Sleep(time.Minute) // longer than the lease
					running, ran = running-1, ran+1
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		began := time.Now()
		all.Wait()
		if d := time.Since(began); ran != 3 || d > 3*time.Minute+5*time.Second {
			t.Errorf("%d ran, in %s", ran, d)
		}
	})
}

func TestAloneEndsWithItsLease(t *testing.T) {
	for name, lose := range map[string]func(*rows){
		"taken by another": func(r *rows) { r.holder, r.until = "another", time.Now().Add(time.Hour) },
		"not renewed":      func(r *rows) { r.down = true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &rows{}
				began := time.Now()
				err := New(r, "test", 10*time.Second).Alone(t.Context(), func(ctx context.Context) error {
					r.set(func() { lose(r) })
					<-ctx.Done()
					return ctx.Err()
				})
				if d := time.Since(began); !errors.Is(err, ErrLost) || d > 10*time.Second {
					t.Errorf("%v after %s", err, d)
				}
			})
		})
	}
}

func TestWaitingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rows{holder: "another", until: time.Now().Add(time.Hour)}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := New(r, "test", 10*time.Second).Alone(ctx, func(context.Context) error { t.Error("it ran"); return nil })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		r.down = true
		if err := New(r, "test", time.Second).Alone(t.Context(), nil); !errors.Is(err, errDown) {
			t.Error(err)
		}
	})
}
