package upload

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"slices"
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
	RenewLeases(ctx context.Context, holder string, ttl time.Duration) (map[file.ID]int64, error)
	GiveLease(ctx context.Context, id file.ID, epoch int64, settled bool) error
	AskLetGo(ctx context.Context, id file.ID) error
	Listen(ctx context.Context, asked func(file.ID), trouble func(error))
}

// leases keeps two requests for one upload apart, in this process and in others.
type leases struct {
	rows    LeaseRows
	ttl     time.Duration
	log     *slog.Logger
	metrics *metrics
	holder  string // names this process, for whoever looks at the rows

	mu       sync.Mutex
	held     map[file.ID]*lease
	renewing bool // a goroutine renews them, as long as there are any
	stopping bool
}

func newLeases(rows LeaseRows, ttl time.Duration, log *slog.Logger, m *metrics) *leases {
	return &leases{rows: rows, ttl: ttl, log: log, metrics: m, holder: rand.Text(), held: make(map[file.ID]*lease)}
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
	// whole says that all of the upload comes in this request. No other request could go on with
	// it, so it is not asked to let go when the process stops, but has the time of the drain.
	whole bool
	// over says that the last commit gave the lease back in the row.
	over atomic.Bool
	// wrote says that a write to the object's key was begun under this lease. Unless its result was
	// committed, it may still be under way when the lease is given back.
	wrote    atomic.Bool
	given    chan struct{} // closed when the lease is given back
	giveOnce sync.Once
	since    time.Time // when the last renewal that went well was sent; of leases.mu
	missed   bool      // the last renewal did not find it; of leases.mu
}

// take waits until ctx ends for the lease on an upload, asking whoever holds it to let
// go, and returns the upload as it is under the lease. The error is file.ErrLocked if
// the holder does not let go in time.
func (ls *leases) take(ctx context.Context, id file.ID, letGo func()) (*lease, *file.Upload, error) {
	const firstPause, longestPause = 25 * time.Millisecond, 500 * time.Millisecond
	began, held := time.Now(), false
	// More than a retry: a lease given back in this process ends the pause, and the caller's context the wait.
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		asked := time.Now()
		u, err := ls.rows.TakeLease(ctx, id, ls.holder, ls.ttl)
		if err == nil && u != nil {
			ls.metrics.leaseWaits.Observe(time.Since(began).Seconds())
			return ls.hold(ctx, &lease{id: id, epoch: u.Epoch, since: asked, letGo: letGo}), u, nil
		}
		// If the wait ends while SQL does not answer, it is not known that anybody holds the lease.
		if err != nil && (ctx.Err() == nil || !held || time.Since(asked) > longestPause) {
			return nil, nil, err
		}
		if err == nil {
			held = true
			ls.ask(id)
			if err := ls.rows.AskLetGo(ctx, id); err != nil && ctx.Err() == nil {
				return nil, nil, err
			}
		}
		select {
		case <-ctx.Done():
			ls.metrics.leaseTimeouts.Inc()
			return nil, nil, fmt.Errorf("wait for the lease on %s: %w: %w", id, file.ErrLocked, ctx.Err())
		case <-ls.givenBack(id):
		case <-time.After(pause):
		}
	}
}

// hold begins to keep a lease that was taken: id, epoch, since and letGo are given.
func (ls *leases) hold(ctx context.Context, l *lease) *lease {
	l.of, l.given = ls, make(chan struct{})
	l.ctx, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	ls.mu.Lock()
	ls.held[l.id] = l
	stopping := ls.stopping
	if !ls.renewing {
		ls.renewing = true
		go ls.renew()
	}
	ls.mu.Unlock()
	if stopping && !l.whole {
		l.ask()
	}
	return l
}

// renew renews all leases while there are any: with one statement, since a process may hold
// thousands. A lease counts from when its last successful renewal was sent: the database can't
// have begun to count before that.
func (ls *leases) renew() {
	every := time.NewTicker(ls.ttl / 3)
	defer every.Stop()
	var strays map[file.ID]int64
	for range every.C {
		before := ls.all()
		if len(before) == 0 {
			ls.mu.Lock()
			ls.renewing = len(ls.held) > 0
			over := !ls.renewing
			ls.mu.Unlock()
			if over {
				return
			}
			continue
		}
		sent := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), ls.ttl/3)
		var renewed map[file.ID]int64
		err := recovered(func() (err error) { renewed, err = ls.rows.RenewLeases(ctx, ls.holder, ls.ttl); return err })
		cancel()
		for _, l := range before {
			if l.isLost(sent, renewed, err) {
				ls.metrics.leaseLosses.Inc()
				ls.log.WarnContext(l.ctx, "a lease was lost", "upload", l.id, "error", err)
				l.cancel(fmt.Errorf("the lease on %s was lost: %w", l.id, cmp.Or(err, file.ErrConflict)))
				l.ask()
			}
		}
		strays = ls.giveStrays(renewed, strays)
	}
}

// giveStrays gives back leases that this process holds by the rows and does not know of: the
// answer to taking or giving them was lost. Renewed with the others they would never end. One
// that is seen for the first time may be one that is just being taken.
func (ls *leases) giveStrays(renewed, before map[file.ID]int64) map[file.ID]int64 {
	strays := make(map[file.ID]int64)
	for id, epoch := range renewed {
		ls.mu.Lock()
		l := ls.held[id]
		ls.mu.Unlock()
		switch {
		case l != nil && l.epoch == epoch:
		case before[id] == epoch:
			ls.giveRow(id, epoch, false)
		default:
			strays[id] = epoch
		}
	}
	return strays
}

// giveRow gives a lease back in its row. settled says that it has no write to the object's key under way.
func (ls *leases) giveRow(id file.ID, epoch int64, settled bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := ls.rows.GiveLease(ctx, id, epoch, settled); err != nil {
		ls.log.Warn("a lease could not be given back, it will expire", "upload", id, "error", err)
	}
}

// isLost notes the result of a renewal. A lease that was not found is lost if the next renewal
// does not find it either: it may just have been given back, by a commit that has not
// returned yet.
func (l *lease) isLost(sent time.Time, renewed map[file.ID]int64, err error) bool {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.ctx.Err() != nil || l.over.Load() {
		return false
	}
	if err != nil {
		return time.Since(l.since) >= l.of.ttl
	}
	if renewed[l.id] == l.epoch {
		l.since, l.missed = sent, false
		return false
	}
	lost := l.missed
	l.missed = true
	return lost
}

// all lists the leases that this process holds.
func (ls *leases) all() []*lease {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return slices.Collect(maps.Values(ls.held))
}

// give gives the lease back. It may be called more than once.
func (l *lease) give() {
	l.giveOnce.Do(func() {
		l.cancel(nil)
		defer l.forget()
		if !l.over.Load() {
			l.of.giveRow(l.id, l.epoch, !l.wrote.Load())
		}
	})
}

// forget removes the lease from those that this process holds.
func (l *lease) forget() {
	l.of.mu.Lock()
	if l.of.held[l.id] == l {
		delete(l.of.held, l.id)
	}
	l.of.mu.Unlock()
	close(l.given)
}

func (l *lease) ask() {
	if l.letGo != nil {
		l.letGo()
	}
}

// writing notes that a write of the object begins under this process's lease.
func (ls *leases) writing(id file.ID) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.held[id]; l != nil {
		l.wrote.Store(true)
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

// stop asks the holders in this process to let go, now and whenever one comes: all whose
// upload can go on elsewhere.
func (ls *leases) stop() {
	ls.mu.Lock()
	ls.stopping = true
	ls.mu.Unlock()
	for _, l := range ls.all() {
		if !l.whole {
			l.ask()
		}
	}
}

func (ls *leases) isStopping() bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.stopping
}
