package cache

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A value is kept for its lifetime after it was written and, if that is asked for, after it was read.
func TestLifetimeOfValues(t *testing.T) {
	for name, used := range map[string]bool{"written": false, "read": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := NewValues[string](ValuesOptions[time.Duration]{Size: 10, WhileUsed: used,
					Lifetime: func(d time.Duration) time.Duration { return d }})
				defer v.entries.close()
				v.Set("k", 10*time.Second)
				v.Set("none", 0) // ends at once, and is no mistake
				time.Sleep(9 * time.Second)
				if d, found := v.Get("k"); d != 10*time.Second || !found {
					t.Errorf("after 9 seconds: %s, %t", d, found)
				}
				time.Sleep(9 * time.Second)
				if _, found := v.Get("k"); found != used {
					t.Errorf("9 seconds after it was read: %t", found)
				}
				time.Sleep(11 * time.Second)
				for _, key := range []string{"k", "none", "another"} {
					if d, found := v.Get(key); d != 0 || found {
						t.Errorf("in the end %s is %s", key, d)
					}
				}
			})
		})
	}
}

// No update is lost, and one that says not to write changes nothing.
func TestUpdateValues(t *testing.T) {
	v := NewValues[string](ValuesOptions[int]{Size: 10, Lifetime: func(int) time.Duration { return time.Hour }})
	defer v.entries.close()
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { v.Update("k", func(n int, _ bool) (int, bool) { return n + 1, true }) })
	}
	all.Wait()
	v.Update("k", func(n int, found bool) (int, bool) { return n + 1000, !found })
	v.Update("another", func(n int, found bool) (int, bool) { return n + 1, found })
	if n, found := v.Get("k"); n != 100 || !found {
		t.Errorf("%d, %t", n, found)
	}
	if _, found := v.Get("another"); found {
		t.Error("what was not there was written")
	}
}
