package db

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"holdfast/file"
)

// A row that is not there is an answer; a database that is closed, and a client that has left, are not.
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
	if _, err := d.File(left, "nothing"); !errors.Is(err, file.ErrDatabase) {
		t.Fatal(err)
	}
	expect("a client left", 0)
	d.Close()
	if _, err := d.File(t.Context(), "nothing"); !errors.Is(err, file.ErrDatabase) {
		t.Fatal(err)
	}
	expect("closed", 1)
}

// What it costs a statement to be counted.
func BenchmarkCall(b *testing.B) {
	c := &calls{metrics: newMetrics()}
	err := fmt.Errorf("read record: %w", file.ErrNotFound)
	b.ReportAllocs()
	for b.Loop() {
		_, end := c.begin(b.Context(), "read record")
		end(err)
	}
}
