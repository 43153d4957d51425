package sim

import (
	"context"
	"errors"
	"testing/synctest"
	"time"

	"holdfast/file"
	"holdfast/reconcile"
)

// The longest that a request may wait for something that is free.
const (
	freeLease = 5 * time.Second
	// answered is the longest that a request may take after the end of its body. It may wait 18 s for a lease, a
	// minute for memory, and a few times for slow calls.
	answered = 6 * time.Minute
)

// waiter is a request that waits for the lease on an upload.
type waiter struct {
	id    file.ID
	p     *proc
	free  time.Time // since when the lease is free; zero: it is held
	epoch int64
}

// wait registers a waiter, until it is called with false.
func (w *World) wait(x *waiter, waits bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if waits {
		w.waiting[x] = true
	} else {
		delete(w.waiting, x)
	}
}

// watch checks all the time, until ctx ends, that no request waits for something that is free.
func (w *World) watch(ctx context.Context) {
	for turn := 0; pause(ctx, 500*time.Millisecond); turn++ {
		synctest.Wait()
		w.checkMemory()
		if turn%2 == 0 {
			w.checkLeases()
		}
		if turn%60 == 0 {
			w.checkUsage()
		}
	}
}

// checkMemory checks that no request waits for memory that is free. It is called when everything else stands still.
func (w *World) checkMemory() {
	w.mu.Lock()
	procs := append([]*proc(nil), w.procs...)
	w.mu.Unlock()
	for _, p := range procs {
		if p == nil {
			continue
		}
		const slab = 64 << 10 // the largest piece that a request waits for
		if s := p.engine.Memory(); s.Waiting > 0 && s.Used-s.Kept+slab <= s.Limit {
			w.failf("engine %d: %d requests wait for memory, and of %d bytes only %d are used", p.index, s.Waiting, s.Limit,
				s.Used-s.Kept)
		}
	}
}

// checkLeases checks that no request waits for a lease that is free.
func (w *World) checkLeases() {
	w.mu.Lock()
	var all []*waiter
	for x := range w.waiting {
		all = append(all, x)
	}
	w.mu.Unlock()
	for _, x := range all {
		u, err := w.rows.UploadRow(context.Background(), x.id)
		switch {
		case err != nil || u.Held || u.Epoch != x.epoch || u.State == file.Deleted || x.p.dead() || x.p.standsStill():
			x.free = time.Time{}
			if err == nil {
				x.epoch = u.Epoch
			}
		case x.free.IsZero():
			x.free = time.Now()
		case time.Since(x.free) > freeLease:
			w.failf("%s: a request waits for the lease, which has been free for %s", w.name(x.id), time.Since(x.free))
		}
	}
}

// checkUsage checks that quotas are exact.
func (w *World) checkUsage() {
	for account := range int64(2) {
		counted, used, err := w.rows.Recount(context.Background(), account+1, false)
		if err != nil || counted != used {
			w.failf("account %d: %+v are counted, and %+v are used: %v", account+1, counted, used, err)
		}
		if w.plan.Quota > 0 && counted.Bytes > w.plan.Quota {
			w.failf("account %d: it has %d bytes, over its quota of %d", account+1, counted.Bytes, w.plan.Quota)
		}
	}
}

// checkRow checks that the committed bytes of an upload have no gap.
func (w *World) checkRow(id file.ID) {
	ctx := context.Background()
	u, err := w.rows.UploadRow(ctx, id)
	parts, err2 := w.rows.Parts(ctx, id)
	tails, err3 := w.rows.UploadTails(ctx, id)
	if err := errors.Join(err, err2, err3); err != nil {
		w.failf("%s: %v", w.name(id), err)
		return
	}
	if u.State != file.Open && u.State != file.Completing || u.Direct && len(parts)+len(tails) == 0 {
		return
	}
	end := int64(0)
	for _, p := range parts {
		if p.Offset != end {
			w.failf("%s: a hole in the parts: part %d begins at %d, and not at %d", w.name(id), p.Number, p.Offset, end)
		}
		end += p.Size
	}
	for _, t := range tails {
		if t.Offset != end {
			w.failf("%s: a hole before the tail at %d, after %d", w.name(id), t.Offset, end)
		}
		end += t.Size
	}
	if end != u.Offset {
		w.failf("%s: %d bytes are committed in parts and tails, and the offset is %d", w.name(id), end, u.Offset)
	}
}

// checkEnd checks what is left after everything has expired and was swept: the files, and nothing else.
func (w *World) checkEnd() {
	ctx := context.Background()
	c := &reconcile.Checker{Rows: w.rows, Objects: w.store, Layout: layout,
		Options: reconcile.Options{Fix: true, Now: time.Now},
		Report: func(f reconcile.Finding) error {
			switch f.Kind {
			case reconcile.LeftTail, reconcile.LeftParts: // what could not be removed earlier is removed now
			default:
				w.failf("%s: the comparison of database and store finds %s: %s", w.name(f.ID), f.Kind, f.Detail)
			}
			return nil
		}}
	if err := c.Run(ctx); err != nil {
		w.failf("the comparison of database and store: %v", err)
	}
	w.checkUsage()
	left, err := w.rows.CutShort(ctx, "", 100)
	if err != nil || len(left) > 0 {
		w.failf("unfinished uploads are left: %d %v", len(left), err)
	}
	objects, multiparts := w.store.All()
	files := 0
	for id := range w.known {
		r, err := w.rows.File(ctx, id)
		if err == nil {
			files++
			if w.known[id].deleted {
				w.failf("%s: it was deleted, and is a file", w.name(id))
			}
			w.checkFile(r.ID, inTheEnd)
		}
	}
	if len(objects) != files || len(multiparts) > 0 {
		w.failf("the store has %d objects and %d multipart uploads, and there are %d files: %v %v", len(objects),
			len(multiparts), files, objects, multiparts)
	}
}
