// Package sim simulates upload engines, in one process and in virtual time (testing/synctest): two or three engines
// over one SQLite database in memory and one store (simstore). Clients do everything that clients do, while calls are
// slow, fail and lose their answers, writes arrive late, and engines die and restart. One seed decides everything. So
// it tries in seconds schedules of days that nobody would think of.
//
// At every step, and at the end, it checks the engine's invariants (see check.go and model.go). A run that fails
// prints its seed, and the shortest schedule that still fails.
//
// # What is not simulated
//
//   - HTTP's connections, and tus: most clients call the engine as package tus does. Some speak the IETF's protocol to
//     package resumable, in one version, or send their parts to the store and ask package direct for the rest, with
//     requests and answers that are values; whether they wait for a lease that is free is not checked. What a signed
//     URL forbids is not tried. Package internal/e2e tests the rest.
//   - PostgreSQL. All statements run one after the other on one connection. They are slow or fail as a whole: a
//     transaction is never interrupted. rows simulates LISTEN and NOTIFY.
//   - Different speeds of the processes' clocks. The database's clock is faster or slower, and is set forwards and
//     backwards once; the engines' calendars differ by seconds.
//   - A store that breaks its contract, and power cuts. A write arrives at most twenty minutes late.
//   - Goroutines that run at the same instant: the Go scheduler decides their order. So a seed almost always, but not
//     quite always, does the same again.
package sim

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"holdfast/db"
	"holdfast/direct"
	"holdfast/file"
	"holdfast/hooks"
	"holdfast/internal/sim/simstore"
	"holdfast/resumable"
	"holdfast/storage"
	"holdfast/upload"
)

// Times of the simulated service.
const (
	uploadTTL  = 30 * time.Minute
	sweepEvery = 20 * time.Second // while clients are busy
	latest     = 20 * time.Minute // that a write arrives
	maxSize    = 4 << 20          // bytes
)

// World is one run.
type World struct {
	plan  Plan
	start time.Time
	rows  *db.DB
	store *simstore.Store
	log   *slog.Logger

	mu       sync.Mutex // never held during a wait
	procs    []*proc    // nil: it is down
	calm     bool       // no more faults
	calls    map[string]int
	known    map[file.ID]*known
	waiting  map[*waiter]bool
	breaks   func(simstore.Call) bool // calls that fail, besides the plan's; nil: none
	faults   []string                 // that have happened, by name
	failures []string
	seen     map[string]int
}

// proc is a process with an engine, from its start to its death.
type proc struct {
	world   *World
	index   int
	ctx     context.Context // ends when it dies
	die     context.CancelFunc
	engine  *upload.Engine
	handler *resumable.Handler
	direct  *direct.Handler
	asked   func(file.ID) // called by NOTIFY
	cold    chan struct{} // closed when it is frozen
	warm    chan struct{} // closed when it continues
}

// roll returns a random source that depends only on the seed and a name.
func (w *World) roll(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name)) // a hash returns no errors
	return rand.New(rand.NewPCG(w.plan.Seed, h.Sum64()))
}

// count returns how often it was called with this name.
func (w *World) count(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[name]++
	return w.calls[name]
}

// failf records that an invariant does not hold. It ends the run: all processes die.
func (w *World) failf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calm = true
	for i, p := range w.procs {
		if p != nil {
			w.procs[i] = nil
			p.die()
		}
	}
	if len(w.failures) == 10 {
		return
	}
	w.failures = append(w.failures, fmt.Sprintf("%8s  ", time.Since(w.start).Round(time.Millisecond))+
		fmt.Sprintf(format, args...))
}

// saw counts something that must happen in some runs.
func (w *World) saw(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[what]++
}

// fault reports whether a fault of that name happens now, and records it.
func (w *World) fault(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calm || w.plan.Spared[name] {
		return false
	}
	w.faults = append(w.faults, fmt.Sprintf("%8s  %s", time.Since(w.start).Round(time.Millisecond), name))
	return true
}

func (w *World) isCalm() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.calm }

// clock returns the time of the database's clock.
func (w *World) clock() time.Time {
	since := time.Since(w.start)
	now := w.start.Add(since + time.Duration(float64(since)*w.plan.Drift))
	if since > w.plan.JumpAt {
		now = now.Add(w.plan.Jump)
	}
	return now
}

// run starts a process. every is the interval of its sweeps.
func (w *World) run(index int, every time.Duration) *proc {
	ctx, die := context.WithCancel(context.Background())
	p := &proc{world: w, index: index, ctx: ctx, die: die, cold: make(chan struct{}), warm: make(chan struct{})}
	calendar := time.Duration(index-1) * 3 * time.Second
	r := rows{w.rows, p}
	life := hooks.New(r, hooks.Settings{Layout: layout, MaxSize: maxSize, TTL: uploadTTL,
		Now: func() time.Time { return time.Now().Add(calendar) }})
	p.engine = upload.NewEngine(r, objects{w.store, p}, life, upload.Settings{Memory: w.plan.Memory}, w.log)
	p.handler, p.direct = w.newHandler(p), w.newDirectHandler(p)
	go p.engine.Run(ctx, every)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.failures) > 0 {
		die()
	} else {
		w.procs[index] = p
	}
	return p
}

var layout = storage.Layout{BucketPrefix: "sim"}

// dead reports whether the process has died.
func (p *proc) dead() bool { return p.ctx.Err() != nil }

// stop ends a process: at once, or gracefully as after SIGTERM. It reports whether there was a process.
func (w *World) stop(index int, gracefully bool) bool {
	w.mu.Lock()
	p := w.procs[index]
	w.mu.Unlock()
	if p == nil || p.engine.Stopping() {
		return false
	}
	if gracefully {
		p.engine.ReleaseLeases()
		time.Sleep(5 * time.Second)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.procs[index] != p {
		return false
	}
	w.procs[index] = nil
	p.die()
	return true
}

// freeze stops a process for a while, once in its life: none of its calls continues.
func (w *World) freeze(index int, d time.Duration) {
	w.mu.Lock()
	p := w.procs[index]
	w.mu.Unlock()
	if p != nil && !p.frozen() {
		close(p.cold)
		time.Sleep(d)
		close(p.warm)
	}
}

// frozen reports whether the process is frozen, or was.
func (p *proc) frozen() bool {
	select {
	case <-p.cold:
		return true
	default:
		return false
	}
}

// standsStill reports whether the process is frozen now.
func (p *proc) standsStill() bool {
	select {
	case <-p.warm:
		return false
	default:
		return p.frozen()
	}
}

// thaw waits until the process is not frozen. Everything that it would have done meanwhile it does afterwards: a
// deadline that has passed in between does not count.
func (p *proc) thaw(ctx context.Context) context.Context {
	if !p.standsStill() {
		return ctx
	}
	select {
	case <-p.warm:
	case <-p.ctx.Done():
	}
	return context.WithoutCancel(ctx)
}

// proc returns the process with that index or, if it is down, another one; nil if all are down.
func (w *World) proc(index int) *proc {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.procs {
		if p := w.procs[(index+i)%len(w.procs)]; p != nil && !p.engine.Stopping() && !p.standsStill() {
			return p
		}
	}
	return nil
}

// pause sleeps, and reports whether ctx is still alive afterwards.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
