package memory

import (
	"context"
	"fmt"
	"time"

	"holdfast/file"
)

// maxAway is how many tails are sent to the store at the same time. Each takes a connection and its buffers: if
// thousands were sent at once, because many requests are asked or end, they would need more memory than they give
// back. Only bytes that are in memory take a place, and never a request that waits for its client.
const maxAway = 32

// maxMoves is maxAway for payloads that are partly read from the store. They have places of their own: they may take
// long, and a request that was asked for memory should not wait for them.
const maxMoves = 16

// StoreTail calls put once there is a place for a tail.
func (b *Budget) StoreTail(ctx context.Context, put func() error) error {
	return b.in(ctx, b.away, put)
}

// Move calls put once there is a place for a payload that is partly read from the store.
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
		return fmt.Errorf("the store is too slow: %d requests are sending to it: %w", cap(places), file.ErrBusy)
	}
}

// Lend returns the size of the slab that a client may be read straight into: size, a smaller one, or 0. Until the
// client sends something that slab is of no use to anybody else, so that all of them together are at most half of the
// memory; the others are read into a few bytes of their own first. Large slabs are lent while few are. Call Unlend with
// what it returned when the read is over.
func (b *Budget) Lend(size int) int {
	for ; size >= SmallSlab; size /= Step {
		most := b.limit / 2
		for large := size; large > LargeSlab; large /= Step {
			most /= 2
		}
		if b.lent.Add(int64(size)) <= most {
			return size
		}
		b.Unlend(size)
	}
	return 0
}

// Unlend ends what Lend began.
func (b *Budget) Unlend(size int) { b.lent.Add(-int64(size)) }
