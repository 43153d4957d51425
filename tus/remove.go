package tus

import (
	"context"
	"errors"
	"slices"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// terminate ends an upload, finished or not: first for clients, then in the store.
// ctx must be the lease's.
func (e *Engine) terminate(ctx context.Context, u *file.Upload) error {
	if err := e.rows.DeleteUpload(ctx, u.Fence()); err != nil {
		return err
	}
	u.State, u.Held = file.Deleted, false
	e.Remove(ctx, u.ID)
	return nil
}

// Remove takes what a deleted upload left out of the store. For clients it is gone
// already, so a failure is no error of theirs: the sweeper tries again. So it does after a backup.
func (e *Engine) Remove(ctx context.Context, id file.ID) {
	if err := e.remove(context.WithoutCancel(ctx), id); err != nil && !errors.Is(err, storage.ErrHeld) {
		e.log.WarnContext(ctx, "what a deleted file left in the store stays for now", "file", id, "error", err)
	}
}

func (e *Engine) remove(ctx context.Context, id file.ID) error {
	u, err := e.rows.Deleted(ctx, id)
	if errors.Is(err, file.ErrNotFound) {
		return nil // somebody else was faster
	}
	if err != nil {
		return err
	}
	for _, t := range u.Tails {
		e.memory.forget(t.Key)
	}
	// What the rows name is not all: a replica may have died between writing and noting it,
	// or between noting that it is not needed any more and removing it.
	keys, multiparts, err := e.objects.Leftovers(ctx, u.Location, id)
	if err != nil {
		return err
	}
	for _, t := range u.Tails {
		if !slices.Contains(keys, t.Key) {
			keys = append(keys, t.Key)
		}
	}
	if u.MultipartID != "" { // which may be among those, under another name
		multiparts = append(multiparts, u.MultipartID)
	}
	for _, m := range multiparts {
		err = errors.Join(err, e.objects.Abort(ctx, u.Location, m))
	}
	for _, key := range append(keys, u.Location.Key) {
		err = errors.Join(err, e.objects.Delete(ctx, file.Location{Bucket: u.Location.Bucket, Key: key}))
	}
	if err != nil {
		return err
	}
	return e.rows.ForgetUpload(ctx, id)
}

// Sweep finishes and removes what a crash or an outage cut short, and what has expired.
func (e *Engine) Sweep(ctx context.Context) error {
	const page = 100
	if err := e.rows.DropOldKeys(ctx); err != nil {
		return err
	}
	var after file.ID
	for {
		ids, err := e.rows.CutShort(ctx, after, page)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			outcome, err := e.mend(ctx, id)
			if err != nil {
				outcome = "failed"
				e.log.Warn("an upload that was cut short stays so for now", "upload", id, "error", err)
			}
			if outcome != "" {
				e.metrics.mended.WithLabelValues(outcome).Inc()
			}
			after = id
		}
		if len(ids) < page {
			return nil
		}
	}
}

// mend says in a word what became of the upload; empty: nothing, since somebody else has it.
func (e *Engine) mend(ctx context.Context, id file.ID) (outcome string, err error) {
	row, err := e.rows.UploadRow(ctx, id)
	if err != nil {
		return "", err
	}
	if row.State == file.Deleted {
		return "cleaned", e.remove(ctx, id)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second) // who holds it finishes it
	defer cancel()
	l, u, err := e.leases.take(ctx, id, nil)
	if err != nil {
		return "", err
	}
	defer l.give()
	switch {
	case u.Gone():
		e.log.Info("an upload has expired", "upload", id, "offset", u.Offset)
		if err = e.terminate(l.ctx, u); err == nil && !u.Partial {
			e.metrics.expired.Inc()
		}
		outcome = "expired"
	case u.Complete() || len(u.Sources) > 0:
		err = e.finish(l.ctx, u)
		outcome = "finished"
	default: // somebody went on with it
	}
	l.over.Store(!u.Held)
	return outcome, err
}
