package memory

import (
	"context"
	"fmt"
	"time"

	"holdfast/file"
)

// maxAway is how many tails go to the store at the same time. Each takes a connection and
// its buffers: thousands at once, when a crowd is asked or leaves, would need more memory
// than they give back. Only bytes that are in memory hold a place, and never a client
// that is waited for.
const maxAway = 32

// maxMoves is maxAway for payloads that are read from the store in part. They have places
// of their own: they may take long, and a request that was asked for memory should not
// wait for them.
const maxMoves = 16

// StoreTail calls put when there is a place for a tail.
func (b *Budget) StoreTail(ctx context.Context, put func() error) error {
	return b.in(ctx, b.away, put)
}

// Move calls put when there is a place for a payload that is read from the store in part.
func (b *Budget) Move(ctx context.Context, put func() error) error { return b.in(ctx, b.moves, put) }

// in calls put while it has one of the places.
func (b *Budget) in(ctx context.Context, places chan struct{}, put func() error) error {
	select {
	case places <- struct{}{}:
	default:
		if err := b.waitForPlace(ctx, places); err != nil {
			return err
		}
	}
	defer func() { <-places }()
	return put()
}

func (b *Budget) waitForPlace(ctx context.Context, places chan struct{}) error {
	patience := time.NewTimer(b.patience)
	defer patience.Stop()
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-patience.C:
		return fmt.Errorf("the store takes too little: %d others send to it: %w", cap(places), file.ErrBusy)
	}
}

// Lend reports whether a client may be read straight into a slab. Until the client sends
// something that slab is of no use to anybody else, so that all of them together are at
// most half of the memory; the others are read into a few bytes of their own first. After
// true, call Unlend when the read is over.
func (b *Budget) Lend() bool {
	if b.lent.Add(1)*LargeSlab <= b.limit/2 {
		return true
	}
	b.lent.Add(-1)
	return false
}

// Unlend ends what Lend began.
func (b *Budget) Unlend() { b.lent.Add(-1) }
