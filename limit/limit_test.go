package limit

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/redistest"
)

// counters runs a test on each kind of counter.
func counters(t *testing.T, test func(t *testing.T, c Counter)) {
	t.Run("memory", func(t *testing.T) { test(t, NewMemory()) })
	t.Run("Redis", func(t *testing.T) {
		c, err := NewRedis(redistest.Start(t).URL(), time.Minute, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		test(t, c)
		if c.down.Load() {
			t.Error("it did not ask Redis")
		}
	})
}

func TestTake(t *testing.T) {
	counters(t, func(t *testing.T, c Counter) {
		r := Rate{Count: 3, Window: time.Hour}
		for range 3 {
			if wait := c.Take(t.Context(), "a", r); wait != 0 {
				t.Fatal(wait)
			}
		}
		for range 3 { // refusals are not counted, else retries would keep a caller out indefinitely
			if wait := c.Take(t.Context(), "a", r); wait <= 19*time.Minute || wait > 20*time.Minute {
				t.Fatal(wait)
			}
		}
		if wait := c.Take(t.Context(), "b", r); wait != 0 {
			t.Fatal("another key: ", wait)
		}
		c.Refund(t.Context(), "a", r)
		for i, want := range []bool{true, false} {
			if wait := c.Take(t.Context(), "a", r); (wait == 0) != want {
				t.Errorf("take %d after one was given back: %s", i, wait)
			}
		}
	})
}

// Giving back what was never taken makes no room.
func TestGiveWithoutTake(t *testing.T) {
	counters(t, func(t *testing.T, c Counter) {
		r := Rate{Count: 3, Window: time.Hour}
		c.Refund(t.Context(), "a", r)
		for range 3 {
			if wait := c.Take(t.Context(), "a", r); wait != 0 {
				t.Fatal(wait)
			}
		}
		if wait := c.Take(t.Context(), "a", r); wait == 0 {
			t.Error("the limit was exceeded")
		}
	})
}

func TestMark(t *testing.T) {
	counters(t, func(t *testing.T, c Counter) {
		if c.Marked(t.Context(), "m") {
			t.Error("marked before")
		}
		c.Mark(t.Context(), "m", time.Hour)
		if !c.Marked(t.Context(), "m") {
			t.Error("not marked")
		}
		c.Mark(t.Context(), "m", 0)
		if c.Marked(t.Context(), "m") {
			t.Error("a mark can't be taken away")
		}
		c.Mark(t.Context(), "short", 20*time.Millisecond)
		for end := time.Now().Add(time.Minute); c.Marked(t.Context(), "short"); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("a mark does not end")
			}
		}
	})
}

func TestTakeAtTheSameTime(t *testing.T) {
	counters(t, func(t *testing.T, c Counter) {
		var got atomic.Int32
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if c.Take(t.Context(), "many", Rate{Count: 10, Window: time.Hour}) == 0 {
					got.Add(1)
				}
			})
		}
		wg.Wait()
		if got.Load() != 10 {
			t.Errorf("%d of 50 at once got in, want 10", got.Load())
		}
	})
}

// Capacity comes back over time, up to the limit.
func TestMemoryOverTime(t *testing.T) {
	m, now := NewMemory(), time.Now()
	m.now = func() time.Time { return now }
	r := Rate{Count: 4, Window: time.Minute}
	took := 0
	for range 600 { // ten minutes, a second each
		m.Take(t.Context(), "k", r)
		now = now.Add(time.Second)
	}
	now = now.Add(time.Hour)
	for m.Take(t.Context(), "k", r) == 0 {
		took++
	}
	if took != 4 {
		t.Errorf("%d after a long time, want 4", took)
	}
	if wait := m.Take(t.Context(), "k", r); wait != 15*time.Second {
		t.Error(wait)
	}
}

// While Redis is down each replica counts alone, and logs that once. Afterwards Redis counts again.
func TestRedisGoesAndComes(t *testing.T) {
	server := redistest.Start(t)
	var log lines
	c, err := NewRedis(server.URL(), time.Minute, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := Rate{Count: 2, Window: time.Hour}
	take := func(want int) {
		t.Helper()
		got := 0
		for range 5 {
			if c.Take(t.Context(), "k", r) == 0 {
				got++
			}
		}
		if got != want {
			t.Fatalf("%d got in, want %d", got, want)
		}
	}
	take(2)
	server.Stop(t)
	take(2) // from this replica's own count
	take(0)
	if n := strings.Count(log.String(), "does not answer"); n != 1 {
		t.Errorf("it was said %d times:\n%s", n, log.String())
	}
	server.Restart(t)
	for end := time.Now().Add(time.Minute); c.down.Load(); time.Sleep(10 * time.Millisecond) {
		c.Marked(t.Context(), "k")
		if time.Now().After(end) {
			t.Fatal("it does not come back")
		}
	}
	take(0) // Redis still has its counts
	if strings.Contains(log.String(), server.Password) {
		t.Error("the password is in the log")
	}
}

// lines is a log that can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(b) }

func (l *lines) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

func TestClient(t *testing.T) {
	trusted := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, c := range []struct {
		peer string
		said []string
		want string
	}{
		{"10.1.2.3:4", []string{"192.0.2.1"}, "192.0.2.1"},
		{"[::1]:4", []string{"2001:db8::1"}, "2001:db8::1"},
		{"[::ffff:10.1.2.3]:4", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"192.0.2.9:4", []string{"192.0.2.1"}, "192.0.2.9"}, // forged
		{"192.0.2.9:4", nil, "192.0.2.9"},
		{"10.1.2.3:4", nil, "10.1.2.3"},
		{"10.1.2.3:4", []string{"192.0.2.1", "192.0.2.2"}, "10.1.2.3"},
		{"10.1.2.3:4", []string{"nobody"}, "10.1.2.3"},
		{"10.1.2.3:4", []string{""}, "10.1.2.3"},
		{"10.1.2.3:4", []string{"192.0.2.1:49152"}, "192.0.2.1"},
		{"10.1.2.3:4", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"10.1.2.3:4", []string{"[2001:db8::1]:49152"}, "2001:db8::1"},
		{"10.1.2.3:4", []string{"[::ffff:192.0.2.1]:80"}, "192.0.2.1"},
		{"10.1.2.3:4", []string{"fe80::1%eth0"}, "fe80::1"},
		{"10.1.2.3:4", []string{"files.lan:80"}, "10.1.2.3"},
		{"10.1.2.3:4", []string{"192.0.2.1, 192.0.2.2"}, "10.1.2.3"},
		{"@", []string{"192.0.2.1"}, "invalid IP"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr, r.Header["X-Real-Ip"] = c.peer, c.said
		r.Header.Set("X-Forwarded-For", "192.0.2.77") // ignored
		if got := trusted.Client(r).String(); got != c.want {
			t.Errorf("%s %q: %s, want %s", c.peer, c.said, got, c.want)
		}
	}
	if a, b := address(netip.MustParseAddr("2001:db8::1")), address(netip.MustParseAddr("2001:db8::2")); a != b {
		t.Errorf("%s and %s are one client's", a, b)
	}
}

func TestLimits(t *testing.T) {
	counters(t, func(t *testing.T, c Counter) {
		two := Rate{Count: 2, Window: time.Hour}
		l := New(c, Settings{Uploads: two, Downloads: two, Failures: two})
		request := func(address string) *http.Request {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = address + ":1"
			return r
		}
		user := func(id int64) file.Identity { return file.Identity{Kind: file.KindUser, UserID: id, AccountID: 1} }
		guest := file.Identity{Kind: "guest", AccountID: 1, Fingerprint: "f"}
		plain := request("192.0.2.1")
		form := file.Identity{Kind: file.KindPublic, AccountID: 1, Fingerprint: "f"}
		for i, step := range []struct {
			err error
			ok  bool
		}{
			{l.Upload(plain, user(1)), true}, {l.Upload(plain, user(1)), true}, {l.Upload(plain, user(1)), false},
			{l.Upload(request("192.0.2.2"), user(1)), false}, // from any address
			{l.Upload(plain, user(2)), true},
			{l.Upload(plain, guest), true}, {l.Upload(plain, guest), true}, {l.Upload(plain, guest), false},
			// Several visitors fill in one form.
			{l.Upload(plain, form), true}, {l.Upload(plain, form), true}, {l.Upload(plain, form), false},
			{l.Upload(request("192.0.2.2"), form), true},
		} {
			if (step.err == nil) != step.ok || step.err != nil && !errors.Is(step.err, file.ErrTooMany) {
				t.Errorf("step %d: %v", i, step.err)
			}
		}
		var none *Limits
		if err := none.Upload(plain, user(1)); err != nil {
			t.Error(err)
		}
	})
}

// A count of 0 means no limit.
func TestWithoutACount(t *testing.T) {
	counters(t, func(t *testing.T, c Counter) {
		r := Rate{Window: time.Hour}
		for range 100 {
			if wait := c.Take(t.Context(), "a", r); wait != 0 {
				t.Fatal(wait)
			}
		}
		c.Refund(t.Context(), "a", r)
	})
}
