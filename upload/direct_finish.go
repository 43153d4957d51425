package upload

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"holdfast/file"
	"holdfast/internal/chore"
)

// errInterrupted ends the completion of a direct upload that another request wants to end.
var errInterrupted = fmt.Errorf("another request took this upload: %w", file.ErrLocked)

// pauseBetweenLooks waits before the row or the object of an upload is read again that another request completes.
func pauseBetweenLooks(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
}

// CompleteDirect makes a direct upload whose parts are all in the store a file. It waits for that until ctx ends, and
// then returns the upload as it is, while the work goes on. Called again it waits for the same work; for a file it
// returns at once.
//
// The errors are file.ErrParts for parts that are missing or not as they were signed, file.ErrDigest,
// file.ErrInfected and file.ErrUnscannable for content that is refused, file.ErrGone for an upload that has expired,
// file.ErrNotFound for one that was ended, and those of the store and the database.
func (e *Engine) CompleteDirect(ctx context.Context, id file.ID) (*file.Upload, error) {
	for {
		u, err := e.DirectRow(context.WithoutCancel(ctx), id)
		switch {
		case err != nil:
			return nil, err
		case u.State == file.Recorded:
			return u, nil
		case u.Gone():
			return nil, Expired(u)
		case u.State == file.Deleted:
			return nil, e.Ended(context.WithoutCancel(ctx), id)
		case ctx.Err() != nil && u.State == file.Completing:
			return u, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("complete %s: %w", id, file.ErrLocked)
		}
		if u.Held { // by a request that completes it, on this replica or another: to take the lease would interrupt that
			pauseBetweenLooks(ctx)
			continue
		}
		switch err := e.tryComplete(ctx, id); {
		case errors.Is(err, file.ErrLocked) && e.Stopping():
			return nil, file.ErrStopping
		case errors.Is(err, file.ErrNotFound): // it was ended since its row was read
			return nil, e.Ended(context.WithoutCancel(ctx), id)
		case errors.Is(err, file.ErrGone): // or another request has completed it meanwhile
			if u, again := e.DirectRow(context.WithoutCancel(ctx), id); again == nil && u.State == file.Recorded {
				return u, nil
			}
			return nil, err
		case errors.Is(err, file.ErrConflict) && !errors.Is(err, file.ErrParts): // the lease was lost to another request
			pauseBetweenLooks(ctx)
		case err != nil && !errors.Is(err, file.ErrLocked) && ctx.Err() == nil:
			return nil, err
		}
	}
}

// tryComplete takes the lease and completes an upload. When ctx ends it returns, and the work goes on.
func (e *Engine) tryComplete(ctx context.Context, id file.ID) error {
	interrupted := make(chan struct{})
	var once sync.Once
	s, err := e.Take(ctx, id, func() { once.Do(func() { close(interrupted) }) })
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	e.background.Go(func() {
		defer s.Close()
		err := recovered(func() error { return s.finishUntil(interrupted) })
		if err != nil && ctx.Err() != nil {
			e.log.Warn("completing a direct upload failed after its request had ended", "upload", id, "error", err)
		}
		done <- err
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return nil
	}
}

// finishUntil is Finish, but ends with errInterrupted when interrupted is closed.
func (s *Session) finishUntil(interrupted <-chan struct{}) error {
	return s.do(func(ctx context.Context) error {
		if s.u.Gone() {
			return Expired(s.u)
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		go func() {
			select {
			case <-interrupted:
				cancel(errInterrupted)
			case <-ctx.Done():
			}
		}()
		err := s.engine.finish(ctx, s.u)
		if err != nil && errors.Is(context.Cause(ctx), errInterrupted) {
			return errInterrupted
		}
		return err
	})
}

// sweepWait is how long the sweep waits for the completion of one direct upload, which goes on without it.
const sweepWait = 5 * time.Second

// sweepDirect completes a direct upload for the sweep, or ends one that can't become a file. Its content may be read,
// which takes minutes.
func (e *Engine) sweepDirect(ctx context.Context, id file.ID) {
	ctx, cancel := context.WithTimeout(ctx, sweepWait)
	defer cancel()
	interrupted := make(chan struct{})
	var once sync.Once
	s, err := e.Take(ctx, id, func() { once.Do(func() { close(interrupted) }) })
	if err != nil {
		e.noteSwept(id, "", err)
		return
	}
	done := make(chan struct{})
	e.background.Go(func() {
		defer close(done)
		defer s.Close()
		var outcome string
		err := recovered(func() (err error) {
			result := s.finishUntil(interrupted)
			if errors.Is(result, errInterrupted) { // by a request, which completes it
				return nil
			}
			outcome, err = e.sweepOutcome(context.WithoutCancel(ctx), s, result)
			return err
		})
		e.noteSwept(id, outcome, err)
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// sumFiles computes the SHA-256 of files that came by direct uploads without one, if it was not done when they became
// files. One replica does it.
func (e *Engine) sumFiles(ctx context.Context, interval time.Duration) {
	// Also while direct uploads are off: files may have come before. It has minutes for each file, so the lease is renewed
	// while it works: see chore.Alone.
	c := chore.New(e.rows, "sums", interval)
	for ctx.Err() == nil {
		err := c.Alone(ctx, func(ctx context.Context) error {
			e.sums.begin()
			defer e.sums.end()
			return eachPage(ctx, e.rows.WithoutSum, func(id file.ID) {
				if e.sums.due(id) {
					e.sums.note(id, e.sum(ctx, id))
				}
			})
		})
		if err != nil && ctx.Err() == nil {
			e.log.WarnContext(ctx, "background work failed", "chore", "sums", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(interval):
		}
	}
}

// sumSoon computes the SHA-256 of a new file, unless this process is at one already: then sumFiles does it.
func (e *Engine) sumSoon(id file.ID) {
	select {
	case e.direct.sums <- struct{}{}:
		defer func() { <-e.direct.sums }()
		_ = e.sum(e.direct.ctx, id) // after an error sumFiles tries again
	default:
	}
}

// sum computes the SHA-256 of a file. Its error is in the log already.
func (e *Engine) sum(ctx context.Context, id file.ID) error {
	err := recovered(func() error {
		u, err := e.DirectRow(ctx, id)
		if err != nil || u.State != file.Recorded || u.HashState != nil {
			return err
		}
		if u.HashState, err = e.hashObject(ctx, u); err != nil {
			return err
		}
		sum, err := file.Digest(u.HashState)
		if err != nil {
			return err
		}
		return e.rows.SetSum(ctx, u, sum)
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, file.ErrNotFound) {
		e.log.WarnContext(ctx, "the SHA-256 of a file could not be computed yet", "file", id, "error", err)
	}
	return err
}
