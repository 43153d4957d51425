package upload

import (
	"context"
	"errors"
	"slices"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// terminate ends an upload, finished or not: first for clients, then in the store. why is the error for which its
// content is refused, or nil. ctx must be the lease's.
func (e *Engine) terminate(ctx context.Context, u *file.Upload, why error) error {
	if err := e.rows.DeleteUpload(ctx, u.Fence(), refusalName(why)); err != nil {
		return err
	}
	u.State, u.Held = file.Deleted, false
	e.Remove(ctx, u.ID)
	return nil
}

// Remove removes the objects of a deleted upload from the store. For clients it is gone already, so a failure is only
// logged: the sweep retries, also after a backup that prevented it.
func (e *Engine) Remove(ctx context.Context, id file.ID) {
	if err := e.remove(context.WithoutCancel(ctx), id); err != nil && !errors.Is(err, storage.ErrHeld) {
		e.log.WarnContext(ctx, "objects of a deleted file could not be removed yet; the sweep tries again", "file", id,
			"error", err)
	}
}

func (e *Engine) remove(ctx context.Context, id file.ID) error {
	u, err := e.rows.Deleted(ctx, id)
	if errors.Is(err, file.ErrNotFound) {
		return nil // another replica was faster
	}
	if err != nil {
		return err
	}
	for _, t := range u.Tails {
		e.memory.Drop(t.Key)
	}
	// The rows don't name everything: a replica may have died between a write and its commit, or between a commit and
	// the removal of obsolete tails.
	left, err := e.objects.Leftovers(ctx, u.Location.Bucket, id)
	if err != nil {
		return err
	}
	left.Keys = append(left.Keys, u.Location.Key, storage.ObjectKey(id))
	for _, t := range u.Tails {
		left.Keys = append(left.Keys, t.Key)
	}
	if u.Multipart.ID != "" { // may be among the leftovers, under another name
		left.Multiparts = append(left.Multiparts, storage.MultipartUpload{Key: u.Location.Key, ID: u.Multipart.ID})
	}
	if err := e.clear(ctx, u.Location.Bucket, left); err != nil {
		return err
	}
	return e.rows.ForgetUpload(ctx, id)
}

// clear removes the leftovers of an upload from a bucket.
func (e *Engine) clear(ctx context.Context, bucket string, left storage.Leftovers) (err error) {
	for _, m := range left.Multiparts {
		err = errors.Join(err, e.objects.Abort(ctx, file.Location{Bucket: bucket, Key: m.Key}, m.ID))
	}
	slices.Sort(left.Keys)
	return errors.Join(err, storage.DeleteAll(ctx, e.objects, bucket, slices.Compact(left.Keys)))
}

// tidy removes what writers that died or lost their lease have stored beside the object of a file. The recorded object
// stays, and is never written to again.
func (e *Engine) tidy(ctx context.Context, id file.ID) error {
	u, err := e.rows.UploadRow(ctx, id)
	if err != nil || u.State != file.Recorded {
		return err
	}
	left, err := e.objects.Leftovers(ctx, u.Location.Bucket, id)
	if err != nil {
		return err
	}
	left.Keys = slices.DeleteFunc(append(left.Keys, storage.ObjectKey(id)),
		func(key string) bool { return key == u.Location.Key })
	if err := e.clear(ctx, u.Location.Bucket, left); err != nil {
		return err
	}
	return e.rows.Tidied(ctx, id)
}

// Sweep finishes uploads that a crash or an outage has interrupted, and removes those that have expired. What fails is
// tried again by later sweeps, less and less often.
func (e *Engine) Sweep(ctx context.Context) error {
	if err := e.rows.DropOldKeys(ctx); err != nil {
		return err
	}
	e.sweeps.begin()
	err := eachPage(ctx, e.rows.CutShort, func(id file.ID) {
		if !e.sweeps.due(id) {
			return
		}
		var outcome string
		err := recovered(func() (err error) { outcome, err = e.sweepUpload(ctx, id); return err })
		e.noteSwept(id, outcome, err)
	})
	if err != nil {
		return err
	}
	e.sweeps.end()
	return eachPage(ctx, e.rows.Untidy, func(id file.ID) {
		if err := recovered(func() error { return e.tidy(ctx, id) }); err != nil {
			e.log.Warn("objects beside a file could not be removed yet; the sweep tries again", "file", id, "error", err)
		}
	})
}

// noteSwept counts and logs what became of an upload. An empty outcome without an error is none yet.
func (e *Engine) noteSwept(id file.ID, outcome string, err error) {
	if err != nil {
		outcome = "failed"
		since, again := e.sweeps.note(id, err)
		e.log.Warn("an unfinished upload could not be swept; a later sweep tries again", "upload", id,
			"failing_for", since.Round(time.Second), "again_in", again.Round(time.Second), "error", err)
	}
	if outcome == "" {
		return
	}
	if err == nil {
		e.sweeps.note(id, nil)
	}
	e.metrics.uploadsSwept.WithLabelValues(outcome).Inc()
}

// eachPage calls each for all ids that list returns, a page at a time.
func eachPage(ctx context.Context, list func(ctx context.Context, after file.ID, limit int) ([]file.ID, error),
	each func(file.ID)) error {
	const page = 100
	for after := file.ID(""); ; {
		ids, err := list(ctx, after, page)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			each(id)
			after = id
		}
		if len(ids) < page {
			return nil
		}
	}
}

// sweepUpload finishes or removes one upload. outcome is a label for the metric; empty: nothing was done.
func (e *Engine) sweepUpload(ctx context.Context, id file.ID) (outcome string, err error) {
	row, err := e.rows.UploadRow(ctx, id)
	if err != nil {
		return "", err
	}
	if row.State == file.Deleted {
		return "cleaned", e.remove(ctx, id)
	}
	if row.Direct && row.Complete() {
		e.sweepDirect(ctx, id)
		return "", nil
	}
	if e.leases.holds(id) {
		return "", nil // its lease only seems to be over: the clock was set ahead, and the next renewal is a moment off
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second) // a request that holds the lease finishes the upload itself
	defer cancel()
	s, err := e.Take(ctx, id, nil)
	if err != nil {
		return "", err
	}
	defer s.Close()
	switch {
	case s.u.Gone():
		e.log.Info("an upload has expired", "upload", id, "offset", s.u.Offset)
		if err = s.end(Expired(s.u)); err == nil && !s.u.Partial {
			e.metrics.expired.Inc()
		}
		outcome = "expired"
	case s.u.Complete() || len(s.u.Sources) > 0:
		return e.sweepOutcome(ctx, s, s.Finish())
	default: // another request went on with it
	}
	return outcome, err
}
