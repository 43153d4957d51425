package tus_test

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"holdfast/internal/test/uploadtest"
)

// Nothing is kept of a request that was answered: many small uploads would take much memory otherwise.
func TestNothingStaysOfARequest(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		const requests = 100
		waiting := []byte("created by github.com/tus/tusd/v2/pkg/handler.newDelayedContext")
		for range requests {
			w.Create(1)
		}
		var kept int
		for range 200 {
			stacks := make([]byte, 8<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			if kept = bytes.Count(stacks, waiting); kept < requests/2 {
				return
			}
			time.Sleep(10 * time.Millisecond) // until tusd has let go of them
		}
		t.Errorf("tusd keeps %d of %d requests", kept, requests)
	})
}
