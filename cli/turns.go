package cli

import (
	"context"
	"slices"
	"sync"
)

// turns have the downloads of one command that write the same files come one after the other, in the order in which the
// command names them, so that the outcome does not depend on how many run at the same time.
type turns []*turn

// turn is that of one download.
type turn struct {
	files []string      // that it writes; they are known when named is closed
	named chan struct{} // closed when files is known, or when the download has ended before that
	ended chan struct{}
	once  sync.Once // closes named
}

func newTurns(n int) turns {
	t := make(turns, n)
	for i := range t {
		t[i] = &turn{named: make(chan struct{}), ended: make(chan struct{})}
	}
	return t
}

// take waits until all downloads before number i that write one of its files have ended. They have begun before it, so
// it can't wait for one that waits for its place among those that run.
func (t turns) take(ctx context.Context, i int, files []string) error {
	t[i].files = files
	t[i].once.Do(func() { close(t[i].named) })
	for _, before := range t[:i] {
		if err := wait(ctx, before.named); err != nil {
			return err
		}
		shared := slices.ContainsFunc(files, func(f string) bool { return slices.Contains(before.files, f) })
		if !shared {
			continue
		}
		if err := wait(ctx, before.ended); err != nil {
			return err
		}
	}
	return nil
}

func wait(ctx context.Context, c <-chan struct{}) error {
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t *turn) end() {
	t.once.Do(func() { close(t.named) })
	close(t.ended)
}
