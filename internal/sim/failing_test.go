package sim

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/file"
	"holdfast/internal/sim/simstore"
)

// failing runs test with a direct upload whose parts are there, in a world in which the store refuses some calls.
func failing(t *testing.T, breaks func(simstore.Call) bool, test func(*World, *proc, *client)) {
	made := template(t)
	cryptotest.SetGlobalRandom(t, 1)
	synctest.Test(t, func(t *testing.T) {
		w, err := newWorld(made, Plan{Seed: 1, Engines: 1, Memory: 1 << 20, Part: 24 << 10})
		if err != nil {
			t.Fatal(err)
		}
		defer w.rows.Close()
		w.breaks = breaks
		p := w.run(0, sweepEvery)
		defer func() {
			w.stop(0, false)
			p.engine.Wait()
			time.Sleep(time.Minute) // until its goroutines have seen that
		}()
		c := &client{Client: Client{Name: "d", Account: 1, Size: 100 << 10, Direct: true}, w: w}
		c.beginDirect(0)
		there, err := c.show(0)
		if err != nil || !c.putParts(Step{Cut: -1}, []int32{1, 2, 3, 4, 5}) {
			t.Fatal(err, w.failures)
		}
		c.complete(0, there)
		test(w, p, c)
		for _, failure := range w.failures {
			t.Error(failure)
		}
	})
}

// waiting is the metric of uploads that fail.
func (p *proc) waiting(t *testing.T) float64 {
	t.Helper()
	r := prometheus.NewRegistry()
	p.engine.Register(r)
	all, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.GetName() == "holdfast_sweep_failing_uploads" {
			return m.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("there is no such metric")
	return 0
}

// A completion that always fails, in a store that else answers, is tried again less and less often, and ends when the
// upload has expired: its client is told so, and nothing is left.
func TestCompletionThatNeverSucceeds(t *testing.T) {
	var refused atomic.Int32
	breaks := func(c simstore.Call) bool {
		if c.Op == "Complete" {
			refused.Add(1)
		}
		return c.Op == "Complete"
	}
	failing(t, breaks, func(w *World, p *proc, c *client) {
		time.Sleep(uploadTTL - 5*time.Minute)
		if n := p.waiting(t); n != 1 {
			t.Errorf("%v uploads are said to fail", n)
		}
		if n := refused.Load(); n < 4 || n > 12 {
			t.Errorf("it was tried %d times in %s", n, uploadTTL-5*time.Minute)
		}
		if u, err := w.rows.UploadRow(t.Context(), c.id); err != nil || u.State != file.Completing {
			t.Fatalf("before it has expired it is %v (%v)", u, err)
		}
		time.Sleep(uploadTTL + 5*time.Minute)
		c.uncertain = true // as it shall be
		if _, _, err := c.askDirect(0, "completion", nil, completes(c)); !errors.Is(err, file.ErrGone) {
			t.Errorf("its client is told %v", err)
		}
		if u, err := w.rows.UploadRow(context.Background(), c.id); err != nil || u.State != file.Deleted {
			t.Errorf("after it has expired it is %v (%v)", u, err)
		}
		if objects, begun := w.store.All(); len(objects)+len(begun) > 0 {
			t.Errorf("left in the store: %v %v", objects, begun)
		}
		w.checkUsage()
		if n := p.waiting(t); n != 0 {
			t.Errorf("%v uploads are said to fail that has ended", n)
		}
	})
}

// While the store does not answer at all an upload that waits for its completion does not expire. It is tried again
// for ever, but seldom, and becomes a file soon after the store is back.
func TestCompletionWhileTheStoreIsDown(t *testing.T) {
	var down atomic.Bool
	var calls atomic.Int32
	breaks := func(c simstore.Call) bool {
		if down.Load() {
			calls.Add(1)
			return true
		}
		return c.Op == "Complete" && calls.Load() == 0
	}
	failing(t, breaks, func(w *World, p *proc, c *client) {
		down.Store(true)
		time.Sleep(12 * time.Hour)
		if u, err := w.rows.UploadRow(t.Context(), c.id); err != nil || u.State == file.Deleted {
			t.Fatalf("after half a day without a store it is %v (%v)", u, err)
		}
		if n := calls.Load(); n > 150 {
			t.Errorf("the store was called %d times in half a day", n)
		}
		down.Store(false)
		time.Sleep(31 * time.Minute)
		w.checkFile(c.id, "when the store is back")
		if n := p.waiting(t); n != 0 {
			t.Errorf("%v uploads are said to fail", n)
		}
	})
}
