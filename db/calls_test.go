package db

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"holdfast/file"
)

// A missing row is an answer, and a client that has left is no fault; a closed database is one.
func TestCallsAreCounted(t *testing.T) {
	d, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	expect := func(when string, want float64) {
		t.Helper()
		if n := testutil.ToFloat64(d.metrics.errors.WithLabelValues("read record")); n != want {
			t.Errorf("%s: %v errors, want %v", when, n, want)
		}
	}
	if _, err := d.File(t.Context(), "nothing"); !errors.Is(err, file.ErrNotFound) {
		t.Fatal(err)
	}
	expect("no row", 0)
	left, leave := context.WithCancel(t.Context())
	leave()
	if _, err := d.File(left, "nothing"); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	expect("a client left", 0)
	d.Close()
	if _, err := d.File(t.Context(), "nothing"); !errors.Is(err, file.ErrDatabase) {
		t.Fatal(err)
	}
	expect("closed", 1)
}

// The metrics show the events that wait or are dead, on both databases, and the hits and misses of a cache.
func TestRegister(t *testing.T) {
	each(t, func(t *testing.T, d *DB) {
		d.KeepEvents()
		rows, r := NewCached(d, time.Hour), prometheus.NewRegistry()
		rows.Register(r)
		const help = "# HELP holdfast_events Events in the outbox: waiting for delivery, or dead. The same in every " +
			"replica.\n# TYPE holdfast_events gauge\n"
		shows := func(dead, waiting int) {
			t.Helper()
			want := fmt.Sprintf("%sholdfast_events{state=\"dead\"} %d\nholdfast_events{state=\"waiting\"} %d\n", help, dead,
				waiting)
			if err := testutil.GatherAndCompare(r, strings.NewReader(want), "holdfast_events"); err != nil {
				t.Error(err)
			}
		}
		shows(0, 0)
		for _, id := range []file.ID{"a", "b"} {
			noErr(t, d.Emit(t.Context(), file.EventCreated, file.Subject{ID: id}))
		}
		shows(0, 2)
		noErr(t, d.EventFailed(t.Context(), file.Event{File: "a", Kind: file.EventCreated}, "why", 0, true))
		shows(1, 1)
		for range 3 { // a missing row is never cached
			if _, err := rows.File(t.Context(), "nothing"); !errors.Is(err, file.ErrNotFound) {
				t.Fatal(err)
			}
		}
		want := "# HELP holdfast_cache_misses_total Lookups that a cache could not answer.\n# TYPE " +
			"holdfast_cache_misses_total counter\nholdfast_cache_misses_total{cache=\"records\"} 3\n"
		if err := testutil.GatherAndCompare(r, strings.NewReader(want), "holdfast_cache_misses_total"); err != nil {
			t.Error(err)
		}
	})
}

// Measures what counting adds to a statement.
func BenchmarkCall(b *testing.B) {
	c := &calls{metrics: newMetrics()}
	err := fmt.Errorf("read record: %w", file.ErrNotFound)
	b.ReportAllocs()
	for b.Loop() {
		_, end := c.begin(b.Context(), "read record")
		end(err)
	}
}
