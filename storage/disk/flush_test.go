package disk

import (
	"errors"
	"os"
	"testing"
)

func TestFlushSharesAndNeverSkips(t *testing.T) {
	started, release := make(chan int), make(chan error)
	some := func() *os.File {
		file, err := os.Open(os.DevNull)
		if err != nil {
			t.Error(err)
		}
		return file
	}
	n := 0
	f := &flusher{flush: func([]*os.File, []string) error { n++; started <- n; return <-release }}
	results := make(chan error, 10)
	go func() { results <- f.Flush(t.Context(), some()) }()
	<-started
	f.mu.Lock()
	joins := f.next != nil
	f.mu.Unlock()
	if joins {
		t.Fatal("who comes now would be served by the flush that runs already")
	}
	for range 5 { // they come while the first flush runs, so it does not serve them
		go func() { results <- f.Flush(t.Context(), some()) }()
	}
	for waiting := false; !waiting; {
		f.mu.Lock()
		waiting = f.next != nil
		f.mu.Unlock()
	}
	release <- nil
	if err := <-results; err != nil {
		t.Fatal(err)
	}
	second := <-started
	failure := errors.New("disk")
	go func() {
		// A third flush serves callers that were too late for the second.
		for {
			select {
			case <-started:
			case release <- failure:
			case <-t.Context().Done():
				return
			}
		}
	}()
	for range 5 {
		if err := <-results; !errors.Is(err, failure) {
			t.Errorf("%v, want the flush's error", err)
		}
	}
	if second != 2 {
		t.Errorf("flush %d", second)
	}
}
