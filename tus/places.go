package tus

import (
	"context"
	"fmt"
	"time"

	"holdfast/file"
)

// maxAway is how many tails go to the store at the same time. Each takes a connection and
// what belongs to one: thousands at once, when a crowd is asked or leaves, would need
// more memory than they give back. Only bytes that are here hold a place, and never a
// client that is waited for.
const maxAway = 32

// maxMoves is maxAway for payloads of which a part is read from the store. They have places
// of their own: they may take long, and who was asked for memory should not wait for them.
const maxMoves = 16

// putAway calls put when there is a place, for a tail.
func (m *memory) putAway(ctx context.Context, put func() error) error { return m.in(ctx, m.away, put) }

// move calls put when there is a place, for a payload of which a part is in the store.
func (m *memory) move(ctx context.Context, put func() error) error { return m.in(ctx, m.moves, put) }

// in calls put while it has one of the places.
func (m *memory) in(ctx context.Context, places chan struct{}, put func() error) error {
	select {
	case places <- struct{}{}:
	default:
		if err := m.wait(ctx, places); err != nil {
			return err
		}
	}
	defer func() { <-places }()
	return put()
}

func (m *memory) wait(ctx context.Context, places chan struct{}) error {
	patience := time.NewTimer(m.patience)
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

// lend reports whether a client may be waited for with a slab, and not with the pump's own
// few bytes: that slab is here until the client sends something, whoever needs it. So
// all of them together are at most half of the memory. Whoever was lent one calls unlend.
func (m *memory) lend() bool {
	if m.lent.Add(1)*largeSlab <= m.limit/2 {
		return true
	}
	m.lent.Add(-1)
	return false
}

func (m *memory) unlend() { m.lent.Add(-1) }
