package sim

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"holdfast/db"
	"holdfast/file"
	"holdfast/internal/sim/simstore"
)

// Result is the result of a run.
type Result struct {
	Failures []string
	Faults   []string // that have happened
	Files    int      // at the end
	Deleted  int      // uploads that were deleted, or have expired
	Took     time.Duration
	Seen     map[string]int // how often what happened
}

// Run runs a plan. Only one run is possible at a time in a process: the ids of uploads come from the seed, too.
func Run(t *testing.T, template *db.Template, plan Plan) (r Result) {
	t.Run(fmt.Sprint("seed ", plan.Seed), func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, plan.Seed)
		synctest.Test(t, func(t *testing.T) {
			w, err := newWorld(template, plan)
			if err != nil {
				t.Fatal(err)
			}
			w.live()
			r = Result{Failures: w.failures, Faults: w.faults, Took: time.Since(w.start), Seen: w.seen}
			for _, k := range w.known {
				if k.deleted {
					r.Deleted++
				} else if k.offset == k.size {
					r.Files++
				}
			}
		})
	})
	return r
}

func newWorld(template *db.Template, plan Plan) (*World, error) {
	w := &World{plan: plan, start: time.Now(), log: slog.New(slog.DiscardHandler), procs: make([]*proc, plan.Engines),
		calls: map[string]int{}, known: map[file.ID]*known{}, waiting: map[*waiter]bool{}, seen: map[string]int{}}
	w.store = simstore.New(w.fate)
	w.store.MinPart, w.store.NoCopy = 1, plan.NoCopy
	var err error
	if w.rows, err = template.Open(context.Background(), w.clock); err != nil {
		return nil, err
	}
	w.rows.Limit(file.Quota{Bytes: plan.Quota})
	return w, nil
}

// live runs the whole plan.
func (w *World) live() {
	defer w.rows.Close()
	watching, stop := context.WithCancel(context.Background())
	go w.watch(watching)
	for i := range w.plan.Engines {
		w.run(i, sweepEvery)
	}
	var deaths, clients sync.WaitGroup
	for _, d := range w.plan.Deaths {
		deaths.Go(func() {
			time.Sleep(d.At)
			if d.Freezes {
				w.freeze(d.Engine, d.Down)
			} else if w.stop(d.Engine, d.Gracefully) {
				time.Sleep(d.Down)
				w.run(d.Engine, sweepEvery)
			}
		})
	}
	var all []*client
	for _, c := range w.plan.Clients {
		p := &client{Client: c, w: w}
		all = append(all, p)
		clients.Go(p.play)
	}
	clients.Wait()
	deaths.Wait()
	w.settle(all)
	stop()
	if w.expire(); len(w.failures) == 0 {
		w.checkEnd()
	}
}

// settle ends the faults: now every client that insists must get its file.
func (w *World) settle(all []*client) {
	w.mu.Lock()
	w.calm = true
	w.mu.Unlock()
	time.Sleep(time.Minute) // leases of dead processes expire, and running requests end
	for _, c := range all {
		if !c.Insists || len(c.Parts) > 0 || c.Form {
			continue
		}
		if c.insist(3); c.id != "" && !c.done && !c.over && !c.ended {
			w.failf("%s: it can't be finished, at %d of %d, though nothing fails any more", c.Name, c.at, c.Size)
		}
	}
}

// expire lets all unfinished uploads expire, and sweeps.
func (w *World) expire() {
	for i := range w.plan.Engines {
		w.stop(i, false)
	}
	p := w.run(0, 11*time.Minute)
	time.Sleep(latest + uploadTTL + 3*time.Hour)
	w.stop(0, false)
	p.engine.Wait()
	time.Sleep(reconcileAge)
}

// reconcileAge is the age from which on leftovers in the store may be removed.
const reconcileAge = 49 * time.Hour
