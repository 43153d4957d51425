package upload

import (
	"context"
	"errors"
	"fmt"
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

// Sweep finishes uploads that a crash or an outage has interrupted, and removes those that have expired.
func (e *Engine) Sweep(ctx context.Context) error {
	if err := e.rows.DropOldKeys(ctx); err != nil {
		return err
	}
	e.failing, e.stillFailing = e.stillFailing, make(map[file.ID]time.Time)
	err := eachPage(ctx, e.rows.CutShort, func(id file.ID) {
		var outcome string
		err := recovered(func() (err error) { outcome, err = e.sweepUpload(ctx, id); return err })
		if err != nil {
			outcome = "failed"
			e.log.Warn("an unfinished upload could not be swept; the next sweep tries again", "upload", id, "error", err)
		}
		if outcome != "" {
			e.metrics.uploadsSwept.WithLabelValues(outcome).Inc()
		}
	})
	if err != nil {
		return err
	}
	return eachPage(ctx, e.rows.Untidy, func(id file.ID) {
		if err := recovered(func() error { return e.tidy(ctx, id) }); err != nil {
			e.log.Warn("objects beside a file could not be removed yet; the sweep tries again", "file", id, "error", err)
		}
	})
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

// finishPatience is how long this replica tries to finish an upload before the upload may expire. It may have had all
// its bytes for days, while no replica was running.
const finishPatience = 15 * time.Minute

// givesUp reports whether an upload that has all its bytes has expired because it can't become a file: there is no
// scanner, no space for its parts and the object, or a direct upload's parts are not what they were. It does not give
// up because of failures of the store or of the database.
func (e *Engine) givesUp(u *file.Upload, err error) bool {
	if !errors.Is(err, file.ErrScanner) && !errors.Is(err, file.ErrNoSpace) && !errors.Is(err, file.ErrParts) {
		return false
	}
	return e.failsLong(u) && u.Expired
}

// isGone reports whether the store has known neither the multipart upload nor its object for so long that no earlier
// request can still be making the one of the other.
func (e *Engine) isGone(u *file.Upload, err error) bool {
	return errors.Is(err, storage.ErrNoUpload) && e.failsLong(u)
}

// failsLong notes that an upload could not be finished, and reports whether that is so for finishPatience.
func (e *Engine) failsLong(u *file.Upload) bool {
	first, seen := e.failing[u.ID]
	if !seen {
		first = time.Now()
	}
	e.stillFailing[u.ID] = first
	return seen && time.Since(first) >= min(u.TTL, finishPatience)
}

// sweepOutcome is the outcome of an upload that was to be finished, with this result. One that can't become a file is
// ended.
func (e *Engine) sweepOutcome(s *Session, result error) (outcome string, err error) {
	outcome, err = "finished", result
	switch {
	case e.isGone(s.u, err):
		err = s.do(func(context.Context) error { return fmt.Errorf("%w: %w", file.ErrLost, result) })
	case e.givesUp(s.u, err):
		e.log.Warn("an upload has expired, since it can't become a file", "upload", s.u.ID, "error", err)
		if err = s.end(); err == nil {
			e.metrics.expired.Inc()
		}
		outcome = "expired"
	}
	if errors.Is(err, file.ErrLost) {
		outcome, err = "lost", nil
	}
	return outcome, err
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
		return e.sweepDirect(ctx, row)
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
		if err = s.end(); err == nil && !s.u.Partial {
			e.metrics.expired.Inc()
		}
		outcome = "expired"
	case s.u.Complete() || len(s.u.Sources) > 0:
		return e.sweepOutcome(s, s.Finish())
	default: // another request went on with it
	}
	return outcome, err
}
