package upload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// finish takes an upload that has all its bytes, or copies them from its sources, to its record. Each step can be
// repeated and is committed before the next one. So after a crash the next request for the upload, or the sweep,
// continues with the step that was interrupted. ctx must be the lease's.
func (e *Engine) finish(ctx context.Context, u *file.Upload) error {
	for !u.Done() {
		var step func(context.Context, *file.Upload) error
		switch {
		case u.Direct && u.State == file.Open:
			step = e.markDirectComplete
		case u.Direct && u.State == file.Completing:
			step = e.completeDirect
		case u.State == file.Open && len(u.Sources) > 0 && !u.Complete():
			step = e.assemble
		case u.State == file.Open:
			step = e.seal
		case u.State == file.Completing:
			step = e.complete
		case u.State == file.Stored:
			step = e.recordStored
		default:
			return file.NotFound(u.ID)
		}
		from := u.State
		if err := step(ctx, u); err != nil {
			return fmt.Errorf("finish %s from %s: %w", u.ID, from, err)
		}
	}
	return nil
}

// seal moves the bytes of tails to their final place: the object itself if there are no parts (as for an empty file),
// else the last part.
func (e *Engine) seal(ctx context.Context, u *file.Upload) error {
	if u.Multipart.ID != "" && len(u.Tails) == 0 {
		return e.advance(ctx, u, file.Completing, "")
	}
	body := e.gather(u.Location.Bucket, u.Tails)
	defer e.release(&body)
	var err error
	p := file.Progress{Offset: u.Offset, HashState: u.HashState}
	if u.Multipart.ID == "" {
		if body.size != u.Size {
			return fmt.Errorf("the tails of %s have %d bytes of %d", u.ID, body.size, u.Size)
		}
		at := e.objectLocation(u)
		p.Whole, p.Key = true, at.Key
		p.ETag, _, err = e.put(ctx, at, u.Type, &body)
	} else {
		number, err := e.nextPart(ctx, u, body.size)
		if err != nil {
			return err
		}
		part, err := e.putPart(ctx, u.Location, u.Multipart, number, &body)
		if err != nil {
			return err
		}
		part.Offset = u.Offset - body.size
		p.Parts = []file.Part{part}
	}
	if err != nil {
		return err
	}
	return e.commitProgress(ctx, u, p)
}

// complete lets the store assemble the parts to one object, and checks its size: the store's success alone is not
// trusted. An earlier attempt may have done so already.
func (e *Engine) complete(ctx context.Context, u *file.Upload) error {
	if err := e.verify(ctx, u); err != nil {
		return err
	}
	parts, err := e.rows.Parts(ctx, u.ID)
	if err != nil {
		return err
	}
	completed := e.objects.Complete(ctx, u.Location, u.Multipart, parts)
	object, err := e.madeObject(ctx, u, completed)
	switch {
	case errors.Is(err, file.ErrObjectMissing) && e.isDamaged(ctx, u, parts, completed):
		return fmt.Errorf("%w: %w", file.ErrLost, completed)
	case errors.Is(err, file.ErrObjectMissing):
		// Not a 404 for the client: the bytes are there as parts, and will become the object.
		return fmt.Errorf("%w: the object is not there: %w", file.ErrStorageWrite,
			errors.Join(completed, errors.New(err.Error())))
	case err != nil:
		return err
	case object.Size != u.Size:
		return wrongSize(object, u, completed)
	case completed != nil && !errors.Is(completed, storage.ErrNoUpload):
		// An earlier attempt has made the object, and this attempt has left parts behind.
		if err := e.objects.Abort(ctx, u.Location, u.Multipart.ID); err != nil {
			e.log.WarnContext(ctx, "parts of a completed upload could not be removed", "upload", u.ID, "error", err)
		}
	}
	if u.Partial {
		return e.advance(ctx, u, file.Stored, object.ETag)
	}
	was, next := u.Fence(), *u
	next.State, next.ETag = file.Stored, object.ETag
	if err := e.record(ctx, was, &next); err != nil {
		return copyEnded(u, next, err)
	}
	*u = next
	return nil
}

// settling is how long an object is looked for that another attempt may still be making.
const settling = time.Second

// madeObject looks at the object of a multipart upload; tried is how the attempt to complete it has ended. Where the
// store knows no such multipart upload and has no object, an attempt of a replica that has lost the lease may be at
// work: some stores hide an upload while they complete it. So the object is looked for again, for a second.
func (e *Engine) madeObject(ctx context.Context, u *file.Upload, tried error) (storage.Object, error) {
	for end := time.Now().Add(settling); ; pauseBetweenLooks(ctx) {
		object, err := e.objects.Stat(ctx, u.Location)
		if !errors.Is(err, file.ErrObjectMissing) || !errors.Is(tried, storage.ErrNoUpload) || ctx.Err() != nil ||
			time.Now().After(end) {
			return object, err
		}
	}
}

// copyEnded marks u as ended if next, a copy of it, was ended because of its bytes.
func copyEnded(u *file.Upload, next file.Upload, err error) error {
	if next.State == file.Deleted {
		u.State, u.Held = file.Deleted, false
	}
	return err
}

// recordStored records an upload that an older version of this service left in state stored.
func (e *Engine) recordStored(ctx context.Context, u *file.Upload) error {
	return e.record(ctx, u.Fence(), u)
}

// record makes the file visible and releases the lease, in one commit. was is the fence of the row before, u the
// upload with its object.
func (e *Engine) record(ctx context.Context, was file.Fence, u *file.Upload) error {
	if err := e.verify(ctx, u); err != nil {
		return err
	}
	if err := e.hooks.PostFinish(ctx, was, u); err != nil {
		if errors.Is(err, file.ErrInfected) || errors.Is(err, file.ErrUnscannable) {
			e.log.Warn("an upload was refused for its content", "upload", u.ID, "account", u.Creator.AccountID, "user",
				u.Creator.UserID, "error", err)
			err = errors.Join(err, e.terminate(ctx, u, err))
		}
		return err
	}
	u.State, u.Held, u.Tails = file.Recorded, false, nil // as in the row
	return nil
}

// wrongSize says that an object has not its upload's size. Cause is why the store could not complete it, or nil.
func wrongSize(object storage.Object, u *file.Upload, cause error) error {
	err := fmt.Errorf("%w: the object has %d bytes, the upload %d", file.ErrStorageWrite, object.Size, u.Size)
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// verify compares the upload with the SHA-256 that its client declared. If they differ, the upload ends here: it never
// becomes a file, nor a part of one.
func (e *Engine) verify(ctx context.Context, u *file.Upload) error {
	err := Matches(u, u.Claim)
	if errors.Is(err, file.ErrDigest) {
		if failed := e.terminate(ctx, u, err); failed != nil {
			return failed
		}
	}
	return err
}

func (e *Engine) advance(ctx context.Context, u *file.Upload, to file.State, etag string) error {
	if err := e.rows.Advance(ctx, u.Fence(), to, etag); err != nil {
		return err
	}
	u.State, u.ETag = to, etag
	return nil
}
