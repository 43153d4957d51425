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

// DefaultLeaseTTL is how long an upload stays locked after the process that held its lease died.
const DefaultLeaseTTL = 15 * time.Second

// LeaseRows keeps leases in SQL, by the database's clock.
type LeaseRows interface {
	TakeLease(ctx context.Context, id file.ID, holder string, ttl time.Duration) (*file.Upload, error)
	RenewLeases(ctx context.Context, holder string, ttl time.Duration) (map[file.ID]int64, error)
	ReleaseLease(ctx context.Context, id file.ID, epoch int64, settled bool) error
	RequestRelease(ctx context.Context, id file.ID) error
	Listen(ctx context.Context, asked func(file.ID), trouble func(error))
}

// leases ensures that only one request at a time changes an upload, in this process and in others.
type leases struct {
	rows    LeaseRows
	ttl     time.Duration
	log     *slog.Logger
	metrics *metrics
	holder  string // identifies this process in the rows

	mu       sync.Mutex
	held     map[file.ID]*lease
	renewing bool // a goroutine renews the leases while there are any
	stopping bool
}

func newLeases(rows LeaseRows, ttl time.Duration, log *slog.Logger, m *metrics) *leases {
	return &leases{rows: rows, ttl: ttl, log: log, metrics: m, holder: rand.Text(), held: make(map[file.ID]*lease)}
}

// lease is the right to change one upload, while it lasts.
type lease struct {
	id    file.ID
	epoch int64
	// ctx ends when the lease is lost or released, and not when the client goes away.
	ctx    context.Context
	cancel context.CancelCauseFunc
	of     *leases
	// requestRelease asks the holder to commit what it has and to release the lease; nil if the holder is quick anyway.
	requestRelease func()
	// once says that the whole upload comes in this request. No other request could continue it, so when the process
	// stops it is not asked to release the lease, but may use the time of the drain.
	once bool
	// releasedByCommit says that the last commit released the lease in the row.
	releasedByCommit atomic.Bool
	// wrote says that a write to the object's key was begun under this lease. Unless its result was committed, it may
	// still be under way when the lease is released.
	wrote       atomic.Bool
	released    chan struct{} // closed when the lease is released
	releaseOnce sync.Once
	since       time.Time // when the last successful renewal was sent; guarded by leases.mu
	missed      bool      // the last renewal did not find it; guarded by leases.mu
}

// take waits until ctx ends for the lease on an upload, asks its holder to release it, and returns the upload under the
// lease. The error is file.ErrLocked if the holder does not release it in time.
func (ls *leases) take(ctx context.Context, id file.ID, requestRelease func()) (*lease, *file.Upload, error) {
	const firstPause, longestPause = 25 * time.Millisecond, 500 * time.Millisecond
	began, isHeld := time.Now(), false
	// Not a plain retry loop: a lease that is released in this process ends the pause, and the caller's context the
	// wait.
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		sent := time.Now()
		u, err := ls.rows.TakeLease(ctx, id, ls.holder, ls.ttl)
		if err == nil && u != nil {
			ls.metrics.leaseWaits.Observe(time.Since(began).Seconds())
			return ls.hold(ctx, &lease{id: id, epoch: u.Epoch, since: sent, requestRelease: requestRelease}), u, nil
		}
		// If the wait ends while SQL does not answer, it is unknown whether the lease is held.
		if err != nil && (ctx.Err() == nil || !isHeld || time.Since(sent) > longestPause) {
			return nil, nil, err
		}
		if err == nil {
			isHeld = true
			ls.askRelease(id)
			if err := ls.rows.RequestRelease(ctx, id); err != nil && ctx.Err() == nil {
				return nil, nil, err
			}
		}
		select {
		case <-ctx.Done():
			ls.metrics.leaseTimeouts.Inc()
			return nil, nil, fmt.Errorf("wait for the lease on %s: %w: %w", id, file.ErrLocked, ctx.Err())
		case <-ls.released(id):
		case <-time.After(pause):
		}
	}
}

// hold registers a lease that was taken, and keeps it renewed. id, epoch, since and requestRelease are set.
func (ls *leases) hold(ctx context.Context, l *lease) *lease {
	l.of, l.released = ls, make(chan struct{})
	l.ctx, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	ls.mu.Lock()
	ls.held[l.id] = l
	stopping := ls.stopping
	if !ls.renewing {
		ls.renewing = true
		go ls.renew()
	}
	ls.mu.Unlock()
	if stopping && !l.once {
		l.askRelease()
	}
	return l
}

// renew renews all leases while there are any, with one statement: a process may hold thousands. A lease's time starts
// when its last successful renewal was sent: the database can't have started it earlier.
func (ls *leases) renew() {
	every := time.NewTicker(ls.ttl / 3)
	defer every.Stop()
	var strays map[file.ID]int64
	for range every.C {
		before := ls.all()
		if len(before) == 0 {
			ls.mu.Lock()
			ls.renewing = len(ls.held) > 0
			done := !ls.renewing
			ls.mu.Unlock()
			if done {
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
				l.askRelease()
			}
		}
		strays = ls.releaseStrays(renewed, strays)
	}
}

// releaseStrays releases leases that belong to this process in the rows, but that it does not know: the answer to
// taking or releasing them was lost. Renewed together with the others they would never end. A lease that is seen for
// the first time is left alone: it may just be being taken.
func (ls *leases) releaseStrays(renewed, before map[file.ID]int64) map[file.ID]int64 {
	strays := make(map[file.ID]int64)
	for id, epoch := range renewed {
		ls.mu.Lock()
		l := ls.held[id]
		ls.mu.Unlock()
		switch {
		case l != nil && l.epoch == epoch:
		case before[id] == epoch:
			ls.releaseRow(id, epoch, false)
		default:
			strays[id] = epoch
		}
	}
	return strays
}

// releaseRow releases a lease in its row. settled says that no write to the object's key is under way.
func (ls *leases) releaseRow(id file.ID, epoch int64, settled bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := ls.rows.ReleaseLease(ctx, id, epoch, settled); err != nil {
		ls.log.Warn("a lease could not be released; it will expire", "upload", id, "error", err)
	}
}

// isLost processes the result of a renewal. A lease that was not found is lost only if the next renewal does not find
// it either: it may just have been released, by a commit that has not returned yet.
func (l *lease) isLost(sent time.Time, renewed map[file.ID]int64, err error) bool {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.ctx.Err() != nil || l.releasedByCommit.Load() {
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

// all returns the leases that this process holds.
func (ls *leases) all() []*lease {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return slices.Collect(maps.Values(ls.held))
}

// release releases the lease. It may be called more than once.
func (l *lease) release() {
	l.releaseOnce.Do(func() {
		l.cancel(nil)
		defer l.forget()
		if !l.releasedByCommit.Load() {
			l.of.releaseRow(l.id, l.epoch, !l.wrote.Load())
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
	close(l.released)
}

func (l *lease) askRelease() {
	if l.requestRelease != nil {
		l.requestRelease()
	}
}

// noteWrite records that a write of the object begins under this process's lease.
func (ls *leases) noteWrite(id file.ID) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.held[id]; l != nil {
		l.wrote.Store(true)
	}
}

// askRelease asks the holder in this process, if there is one, to release its lease.
func (ls *leases) askRelease(id file.ID) {
	ls.mu.Lock()
	l := ls.held[id]
	ls.mu.Unlock()
	if l != nil {
		l.askRelease()
	}
}

// released returns a channel that is closed when the holder in this process releases its lease; nil, which is never
// closed, if there is none.
func (ls *leases) released(id file.ID) <-chan struct{} {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.held[id]; l != nil {
		return l.released
	}
	return nil
}

// holds reports whether this process holds the lease.
func (ls *leases) holds(id file.ID) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.held[id] != nil
}

// stop asks all holders in this process whose upload can be continued elsewhere to release their leases. Later holders
// are asked at once.
func (ls *leases) stop() {
	ls.mu.Lock()
	ls.stopping = true
	ls.mu.Unlock()
	for _, l := range ls.all() {
		if !l.once {
			l.askRelease()
		}
	}
}

func (ls *leases) isStopping() bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.stopping
}
