package upload_test

import (
	"context"
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
	"holdfast/upload"
)

// shown returns a metric's value in a registry, or how often it was observed.
func shown(t *testing.T, r *prometheus.Registry, name string) (n float64) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				n += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
			return n
		}
	}
	t.Fatalf("no %s", name)
	return 0
}

// Waits for memory and for leases are counted, and uploads that expire.
func TestWaitsAreCounted(t *testing.T) {
	worlds(t, func(w *world) {
		w.Memory = upload.MemoryFor(uploadtest.PartSize)
		e := w.Start()
		r := prometheus.NewRegistry()
		e.Register(r)
		expect := func(name string, want float64) {
			t.Helper()
			if n := shown(t, r, name); n != want {
				t.Errorf("%s is %v, want %v", name, n, want)
			}
		}
		requestWaitsForMemory(w, e, r, expect)
		requestWaitsForLease(w, e, expect)
		uploadExpires(w, e, r, expect)
	})
}

// requestWaitsForMemory makes a request wait while another one holds the whole budget.
func requestWaitsForMemory(w *world, e *upload.Engine, r *prometheus.Registry, expect func(string, float64)) {
	w.T.Helper()
	t := w.T
	hog := e.Budget().Join()
	if err := hog.Get(t.Context(), w.Memory); err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	next := e.Budget().Join()
	go func() { got <- next.Get(t.Context(), 10) }()
	until(t, "a request waits", func() bool { return shown(t, r, "holdfast_memory_waiting_requests") == 1 })
	expect("holdfast_memory_limit_bytes", float64(w.Memory))
	expect("holdfast_memory_used_bytes", float64(w.Memory))
	expect("holdfast_memory_wait_seconds", 0)
	hog.Close()
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	expect("holdfast_memory_used_bytes", 10)
	expect("holdfast_memory_waiting_requests", 0)
	expect("holdfast_memory_wait_seconds", 1)
}

// requestWaitsForLease makes a request give up because another one holds the lease of the upload.
func requestWaitsForLease(w *world, e *upload.Engine, expect func(string, float64)) {
	w.T.Helper()
	t := w.T
	id := uploadtest.ID(w.Create(10))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := e.Take(t.Context(), id, cancel) // the next request gives up as soon as it has asked
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Take(ctx, id, nil); !errors.Is(err, file.ErrLocked) {
		t.Fatal(err)
	}
	s.Close()
	expect("holdfast_lease_wait_seconds", 1)
	expect("holdfast_lease_timeouts_total", 1)
}

// uploadExpires ends the time of the only upload and sweeps.
func uploadExpires(w *world, e *upload.Engine, r *prometheus.Registry, expect func(string, float64)) {
	w.T.Helper()
	t := w.T
	expect("holdfast_uploads_expired_total", 0)
	if _, err := w.Raw.Exec("update uploads set expires = 1"); err != nil {
		t.Fatal(err)
	}
	if err := e.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect("holdfast_uploads_expired_total", 1)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "holdfast_sweep_uploads_total" {
			for _, m := range f.GetMetric() {
				if want := map[string]float64{"expired": 1}[label(m)]; m.GetCounter().GetValue() != want {
					t.Errorf("%s: %v", label(m), m)
				}
			}
		}
	}
}

func label(m *dto.Metric) string { return m.GetLabel()[0].GetValue() }
