package sim

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"holdfast/file"
	"holdfast/internal/sim/simstore"
	"holdfast/storage"
)

// fate decides what happens to a call to the store.
func (w *World) fate(_ context.Context, c simstore.Call) (f simstore.Fate) {
	id, tail, err := storage.Owner(c.At.Key)
	if err != nil {
		id = ""
	}
	name := fmt.Sprintf("store %s %s", c.Op, w.name(id))
	if tail {
		name += " tail"
	}
	name = fmt.Sprintf("%s #%d", name, w.count(name))
	dice := w.roll(name)
	f.Before, f.After = short(dice.Int64N(30e6)), short(dice.Int64N(30e6))
	late := time.Second + time.Duration(dice.Int64N(int64(latest)))
	if dice.IntN(2) == 0 {
		late = time.Millisecond + time.Duration(dice.Int64N(int64(10*time.Second)))
	}
	if !w.isCalm() && dice.IntN(2) == 0 {
		f.Late = late // if its caller dies
	}
	if w.breaks != nil && w.breaks(c) {
		f.Failure = simstore.Refused
		return f
	}
	rate := w.plan.Rate
	switch bad := dice.Float64(); {
	case bad > rate:
	case bad < rate/6:
		if w.fault(name + " is slow") {
			f.Before += time.Duration(dice.Int64N(10e9))
		}
	case bad < rate/3 && (c.Op == "Open" || c.Op == "List"):
		f.Short = w.fault(name + " is short")
	case bad < rate/2:
		if w.fault(name + " is refused") {
			f.Failure = simstore.Refused
		}
	case bad < rate*3/4:
		if w.fault(name + " loses its answer") {
			f.Failure = simstore.Lost
		}
	default:
		if w.fault(fmt.Sprintf("%s fails and is done %s later", name, late)) {
			f.Failure, f.Late = simstore.Late, late
		}
	}
	return f
}

// objects is the store as one process sees it: its calls fail once the process has died. A write that was under way
// then may still be executed.
type objects struct {
	*simstore.Store
	p *proc
}

// Put and all methods below call the store's.
func (o objects) Put(ctx context.Context, at file.Location, kind string, body io.ReadSeeker, size int64) (string,
	error) {
	ctx, cancel := o.p.join(o.p.thaw(ctx))
	defer cancel()
	return o.Store.Put(ctx, at, kind, body, size)
}

func (o objects) Stat(ctx context.Context, at file.Location) (storage.Object, error) {
	ctx, cancel := o.p.join(o.p.thaw(ctx))
	defer cancel()
	return o.Store.Stat(ctx, at)
}

func (o objects) Open(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error) {
	ctx, cancel := o.p.join(o.p.thaw(ctx))
	body, err := o.Store.Open(ctx, at, etag, offset, length)
	if err != nil {
		cancel()
		return nil, err
	}
	return closing{body, cancel}, nil
}

// closing is a body that ends its context when it is closed.
type closing struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (c closing) Close() error { c.cancel(); return c.ReadCloser.Close() }

func (o objects) BeginMultipart(ctx context.Context, at file.Location, kind string, withoutSums bool) (file.Multipart,
	error) {
	ctx, cancel := o.p.join(o.p.thaw(ctx))
	defer cancel()
	return o.Store.BeginMultipart(ctx, at, kind, withoutSums)
}

func (o objects) PutPart(ctx context.Context, at file.Location, m file.Multipart, number int32, body io.ReadSeeker,
	size int64) (file.Part, error) {
	ctx, cancel := o.p.join(o.p.thaw(ctx))
	defer cancel()
	return o.Store.PutPart(ctx, at, m, number, body, size)
}

func (o objects) CopyPart(ctx context.Context, from file.Location, tag string, offset, length int64, to file.Location,
	m file.Multipart, number int32) (file.Part, error) {
	ctx, cancel := o.p.join(o.p.thaw(ctx))
	defer cancel()
	return o.Store.CopyPart(ctx, from, tag, offset, length, to, m, number)
}

func (o objects) Complete(ctx context.Context, at file.Location, m file.Multipart, parts []file.Part) error {
	ctx, cancel := o.p.join(o.p.thaw(ctx))
	defer cancel()
	return o.Store.Complete(ctx, at, m, parts)
}

func (o objects) Parts(ctx context.Context, at file.Location, m file.Multipart, after int32) ([]file.Part, error) {
	ctx, cancel := o.p.join(o.p.thaw(ctx))
	defer cancel()
	return o.Store.Parts(ctx, at, m, after)
}

// Abort also checks that no committed part is lost, nor one of a direct upload that goes on.
func (o objects) Abort(ctx context.Context, at file.Location, id string) error {
	ctx, cancel := o.p.join(o.p.thaw(ctx))
	defer cancel()
	if owner, _, err := storage.Owner(at.Key); err == nil && !o.p.dead() {
		w := o.p.world
		u, err := w.rows.UploadRow(context.Background(), owner)
		if err == nil && u.Direct && u.Multipart.ID == id && u.State != file.Deleted {
			w.failf("%s: the parts of a direct upload are aborted that is %s", w.name(owner), u.State)
		}
		if err == nil && u.State == file.Open && u.Multipart.ID == id {
			if parts, err := w.rows.Parts(context.Background(), owner); err == nil && len(parts) > 0 {
				w.failf("%s: the multipart upload is aborted that has %d committed parts", w.name(owner), len(parts))
			}
		}
	}
	return o.Store.Abort(ctx, at, id)
}

// Delete also checks that nothing is deleted that a row names.
func (o objects) Delete(ctx context.Context, at file.Location) error {
	ctx, cancel := o.p.join(o.p.thaw(ctx))
	defer cancel()
	if owner, _, err := storage.Owner(at.Key); err == nil && !o.p.dead() {
		w := o.p.world
		if r, err := w.rows.File(context.Background(), owner); err == nil && r.Location == at {
			w.failf("%s: the object of a file is deleted", w.name(owner))
		}
		u, err := w.rows.UploadRow(context.Background(), owner)
		if err == nil && u.State != file.Deleted {
			tails, err := w.rows.UploadTails(context.Background(), owner)
			if err == nil && slices.ContainsFunc(tails, func(t file.Tail) bool { return t.Key == at.Key }) {
				w.failf("%s: a committed tail is deleted: %s", w.name(owner), at.Key)
			}
		}
	}
	return o.Store.Delete(ctx, at)
}

func (o objects) Leftovers(ctx context.Context, bucket string, id file.ID) (storage.Leftovers, error) {
	ctx, cancel := o.p.join(o.p.thaw(ctx))
	defer cancel()
	return o.Store.Leftovers(ctx, bucket, id)
}
