package tus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/file"
)

// DefaultLeaseTTL is how long an upload stays locked after the process that held it died.
const DefaultLeaseTTL = 15 * time.Second

// LeaseRows keeps leases in SQL, by the database's clock.
type LeaseRows interface {
	TakeLease(ctx context.Context, id file.ID, holder string, ttl time.Duration) (*file.Upload, error)
	RenewLease(ctx context.Context, id file.ID, epoch int64, ttl time.Duration) error
	GiveLease(ctx context.Context, id file.ID, epoch int64) error
	AskLetGo(ctx context.Context, id file.ID) error
	Listen(ctx context.Context, asked func(file.ID), trouble func(error))
}

// leases keeps two requests for one upload apart, in this process and in others.
type leases struct {
	rows   LeaseRows
	ttl    time.Duration
	log    *slog.Logger
	holder string // names this process, for whoever looks at the rows

	mu       sync.Mutex
	held     map[file.ID]*lease
	stopping bool
}

func newLeases(rows LeaseRows, ttl time.Duration, log *slog.Logger) *leases {
	return &leases{rows: rows, ttl: ttl, log: log, holder: rand.Text(), held: make(map[file.ID]*lease)}
}

// lease is the right to change one upload, while it lasts.
type lease struct {
	id    file.ID
	epoch int64
	// ctx ends when the lease is lost or given back, and not when the client goes away.
	ctx    context.Context
	cancel context.CancelCauseFunc
	of     *leases
	// letGo asks the holder to commit what it has and to give the lease back; nil if
	// the holder is quick anyway.
	letGo func()
	// over says that the row knows already: the last commit gave the lease back.
	over     atomic.Bool
	given    chan struct{} // closed when the lease is given back
	giveOnce sync.Once
	renewing sync.WaitGroup
}

// take waits until ctx ends for the lease on an upload, asking whoever holds it to let
// go, and returns the upload as it is under the lease. The error is file.ErrLocked if
// the holder does not let go in time.
func (ls *leases) take(ctx context.Context, id file.ID, letGo func()) (*lease, *file.Upload, error) {
	const firstPause, longestPause = 25 * time.Millisecond, 500 * time.Millisecond
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		asked := time.Now()
		u, err := ls.rows.TakeLease(ctx, id, ls.holder, ls.ttl)
		if err == nil && u != nil {
			return ls.hold(ctx, id, u.Epoch, asked, letGo), u, nil
		}
		if err != nil && ctx.Err() == nil {
			return nil, nil, err
		}
		if err == nil {
			ls.ask(id)
			if err := ls.rows.AskLetGo(ctx, id); err != nil && ctx.Err() == nil {
				return nil, nil, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("wait for the lease on %s: %w: %w", id, file.ErrLocked, ctx.Err())
		case <-ls.givenBack(id):
		case <-time.After(pause):
		}
	}
}

func (ls *leases) hold(ctx context.Context, id file.ID, epoch int64, since time.Time, letGo func()) *lease {
	l := &lease{id: id, epoch: epoch, of: ls, letGo: letGo, given: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	ls.mu.Lock()
	ls.held[id] = l
	stopping := ls.stopping
	ls.mu.Unlock()
	l.renewing.Go(func() { l.renew(since) })
	if stopping {
		l.ask()
	}
	return l
}

// renew keeps the lease while it is in use. What counts is when the last successful
// renewal was sent: the database can't have begun to count before that.
func (l *lease) renew(since time.Time) {
	every := time.NewTicker(l.of.ttl / 3)
	defer every.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-every.C:
		}
		sent := time.Now()
		ctx, cancel := context.WithTimeout(l.ctx, l.of.ttl/3)
		err := l.of.rows.RenewLease(ctx, l.id, l.epoch, l.of.ttl)
		cancel()
		switch {
		case err == nil:
			since = sent
		case l.ctx.Err() != nil || l.over.Load():
			return
		case errors.Is(err, file.ErrConflict), time.Since(since) >= l.of.ttl:
			l.of.log.Warn("a lease was lost", "upload", l.id, "error", err)
			l.cancel(fmt.Errorf("the lease on %s was lost: %w", l.id, file.ErrConflict))
			l.ask()
			return
		}
	}
}

// give gives the lease back. It may be called more than once.
func (l *lease) give() {
	l.giveOnce.Do(func() {
		l.cancel(nil)
		l.renewing.Wait()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), 5*time.Second)
		defer cancel()
		if !l.over.Load() {
			if err := l.of.rows.GiveLease(ctx, l.id, l.epoch); err != nil {
				l.of.log.Warn("a lease could not be given back, it runs out by itself", "upload", l.id, "error", err)
			}
		}
		l.of.mu.Lock()
		if l.of.held[l.id] == l {
			delete(l.of.held, l.id)
		}
		l.of.mu.Unlock()
		close(l.given)
	})
}

func (l *lease) ask() {
	if l.letGo != nil {
		l.letGo()
	}
}

// ask asks the holder in this process, if there is one, to let go.
func (ls *leases) ask(id file.ID) {
	ls.mu.Lock()
	l := ls.held[id]
	ls.mu.Unlock()
	if l != nil {
		l.ask()
	}
}

// givenBack is closed when the holder in this process gives its lease back; nil, which
// is never closed, if there is none.
func (ls *leases) givenBack(id file.ID) <-chan struct{} {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.held[id]; l != nil {
		return l.given
	}
	return nil
}

// stop asks all holders in this process to let go, now and whenever one comes.
func (ls *leases) stop() {
	ls.mu.Lock()
	ls.stopping = true
	held := make([]*lease, 0, len(ls.held))
	for _, l := range ls.held {
		held = append(held, l)
	}
	ls.mu.Unlock()
	for _, l := range held {
		l.ask()
	}
}

func (ls *leases) isStopping() bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.stopping
}
