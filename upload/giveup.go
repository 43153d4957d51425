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

// finishPatience is how long this replica tries to finish an upload before the upload may expire. It may have had all
// its bytes for days, while no replica was running.
const finishPatience = 15 * time.Minute

// givesUp reports whether an upload that has all its bytes has expired because it can't become a file: there is no
// scanner, no space for its parts and the object, or a direct upload's parts are not what they were.
//
// It does not give up because of failures of the database or of the store, since the client was told that its bytes
// are safe. The client of a direct upload was not: it gives that up if the store answers, and only can't do this.
func (e *Engine) givesUp(ctx context.Context, u *file.Upload, err error) bool {
	if !u.Expired || !e.failsLong(u) {
		return false
	}
	is := func(kind error) bool { return errors.Is(err, kind) }
	if slices.ContainsFunc([]error{file.ErrScanner, file.ErrNoSpace, file.ErrParts}, is) {
		return true
	}
	ofStore := slices.ContainsFunc([]error{file.ErrStorageWrite, file.ErrStorageRead, file.ErrObjectMissing}, is)
	return u.Direct && ofStore && e.storeAnswers(ctx, u.Location)
}

// storeAnswers reports whether the store says whether there is an object.
func (e *Engine) storeAnswers(ctx context.Context, at file.Location) bool {
	_, err := e.objects.Stat(ctx, at)
	return err == nil || errors.Is(err, file.ErrObjectMissing) && !errors.Is(err, storage.ErrNoBucket)
}

// isGone reports whether the store has known neither the multipart upload nor its object for so long that no earlier
// request can still be making the one of the other.
func (e *Engine) isGone(u *file.Upload, err error) bool {
	return errors.Is(err, storage.ErrNoUpload) && e.failsLong(u)
}

// failsLong reports whether sweeps could not finish an upload for finishPatience.
func (e *Engine) failsLong(u *file.Upload) bool {
	return e.sweeps.haveFailed(u.ID, min(u.TTL, finishPatience))
}

// sweepOutcome is the outcome of an upload that was to be finished, with this result. One that can't become a file is
// ended.
func (e *Engine) sweepOutcome(ctx context.Context, s *Session, result error) (outcome string, err error) {
	outcome, err = "finished", result
	switch {
	case err == nil:
	case e.isGone(s.u, err):
		err = s.do(func(context.Context) error { return fmt.Errorf("%w: %w", file.ErrLost, result) })
	case e.givesUp(ctx, s.u, err):
		e.log.Warn("an upload has expired, since it can't become a file", "upload", s.u.ID, "error", err)
		if err = s.end(Expired(s.u)); err == nil {
			e.metrics.expired.Inc()
		}
		outcome = "expired"
	}
	if errors.Is(err, file.ErrLost) {
		outcome, err = "lost", nil
	}
	return outcome, err
}
