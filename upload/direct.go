package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// direct is the state that direct uploads need: those whose clients send the parts to the store themselves.
type direct struct {
	sums chan struct{}      // held by whoever computes a SHA-256 in the background: one at a time
	ctx  context.Context    // ends when the service stops
	stop context.CancelFunc // ends ctx
}

func newDirect() *direct {
	d := &direct{sums: make(chan struct{}, 1)}
	d.ctx, d.stop = context.WithCancel(context.Background())
	return d
}

// BeginDirect begins an upload whose client sends the parts to the store itself, and the multipart upload for it. The
// errors are those of the PreCreate hook and of the store, and file.ErrSize for an empty file, which has no parts.
func (e *Engine) BeginDirect(ctx context.Context, c Creation) (*file.Upload, error) {
	if c.Size < 1 {
		return nil, file.Refuse(file.ErrSize, "size must be at least 1: an empty file is sent by tus or as a form")
	}
	c.Direct = true
	s, err := e.Create(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	err = s.do(func(ctx context.Context) error { return e.beginMultipart(ctx, s.u, !c.Sums) })
	if err != nil {
		s.drop(ctx)
		return nil, err
	}
	return s.u, nil
}

// DirectRow is Row for direct uploads.
func (e *Engine) DirectRow(ctx context.Context, id file.ID) (*file.Upload, error) {
	return e.row(ctx, id, true)
}

// Extend restarts the TTL of an open upload, since its client continues it, and returns when it expires now.
func (e *Engine) Extend(ctx context.Context, id file.ID) (time.Time, error) {
	return e.rows.Extend(ctx, id)
}

// PartCount is the number of parts of a direct upload.
func PartCount(u *file.Upload) int64 { return (u.Size + u.PartSize - 1) / u.PartSize }

// SizeOfPart is the size of a part of a direct upload, in bytes; 0 if it has no part of that number.
func SizeOfPart(u *file.Upload, number int64) int64 {
	switch last := PartCount(u); {
	case number < 1 || number > last:
		return 0
	case number == last:
		return u.Size - (last-1)*u.PartSize
	}
	return u.PartSize
}

// ListParts lists the parts of a direct upload that the store has, in the order of their numbers. storage.ErrNoUpload
// if the store does not know the upload any more.
func (e *Engine) ListParts(ctx context.Context, u *file.Upload) (parts []file.Part, err error) {
	for after := int32(0); len(parts) < storage.MaxParts; {
		page, err := e.objects.Parts(ctx, u.Location, u.Multipart, after)
		switch {
		case errors.Is(err, storage.ErrNoBucket): // there may be another store behind the address
			return nil, fmt.Errorf("list parts: %w: %w", file.ErrStorageRead, notMissing(err))
		case err != nil:
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		for _, p := range page {
			if p.Number <= after {
				return nil, fmt.Errorf("list parts: %w: part %d comes after part %d", file.ErrStorageRead, p.Number, after)
			}
			after, p.Offset = p.Number, int64(p.Number-1)*u.PartSize
			parts = append(parts, p)
		}
	}
	return parts, nil
}

// checkedParts lists the parts of a direct upload, and refuses any that are not exactly those that were signed.
func (e *Engine) checkedParts(ctx context.Context, u *file.Upload) ([]file.Part, error) {
	parts, err := e.ListParts(ctx, u)
	if err != nil {
		return nil, err
	}
	var sum int64
	for i, p := range parts {
		number := int64(i) + 1
		switch size := SizeOfPart(u, number); {
		case size == 0:
			return nil, file.Refuse(file.ErrParts, "Part %d is not one of the %d of this upload", p.Number, PartCount(u))
		case int64(p.Number) != number:
			return nil, file.Refuse(file.ErrParts, "Part %d is missing", number)
		case p.Size != size:
			return nil, file.Refuse(file.ErrParts, "Part %d has %d bytes in place of %d: send it again", number, p.Size, size)
		}
		sum += p.Size
	}
	if sum != u.Size {
		return nil, file.Refuse(file.ErrParts, "Part %d is missing", len(parts)+1)
	}
	return parts, e.hooks.Fits(sum)
}

// markDirectComplete commits that the store has all parts of a direct upload. After a crash the sweep finishes it.
func (e *Engine) markDirectComplete(ctx context.Context, u *file.Upload) error {
	if !u.Complete() {
		_, err := e.checkedParts(ctx, u)
		if errors.Is(err, storage.ErrNoUpload) {
			return fmt.Errorf("%w: %w", file.ErrLost, err)
		}
		if err != nil {
			return err
		}
		if err := e.commitProgress(ctx, u, file.Progress{Offset: u.Size}); err != nil {
			return err
		}
	}
	return e.advance(ctx, u, file.Completing, "")
}

// completeDirect has the store make one object of the parts, and makes it a file. With a claim the object is read
// first, without one soon after.
func (e *Engine) completeDirect(ctx context.Context, u *file.Upload) error {
	object, err := e.completeMultipart(ctx, u)
	if err != nil {
		return err
	}
	fence, next := u.Fence(), *u
	next.State, next.ETag = file.Stored, object.ETag
	if u.Claim != nil {
		if next.HashState, err = e.hashObject(ctx, &next); err != nil {
			return err
		}
	}
	if err := e.record(ctx, fence, &next); err != nil {
		return copyEnded(u, next, err)
	}
	*u = next
	if u.HashState == nil {
		e.background.Go(func() { e.sumSoon(u.ID) })
	}
	return nil
}

// completeMultipart makes one object of the parts, and checks its size. It may have been done before: then the store
// does not know the multipart upload any more, and the object is there. Nothing is written to it after that, since the
// only requests that clients have URLs for are parts of that multipart upload.
//
// A client may still replace a part. Complete names the tags that were listed and checked, so another part is refused.
func (e *Engine) completeMultipart(ctx context.Context, u *file.Upload) (storage.Object, error) {
	var err error
	for try := 1; try <= 3; try++ {
		var parts []file.Part
		if parts, err = e.checkedParts(ctx, u); err == nil {
			err = e.objects.Complete(ctx, u.Location, u.Multipart, parts)
		}
		if !errors.Is(err, storage.ErrPartChanged) {
			break
		}
	}
	if errors.Is(err, file.ErrParts) {
		return storage.Object{}, err
	}
	object, missing := e.madeObject(ctx, u, err)
	switch {
	case errors.Is(missing, file.ErrObjectMissing):
		// Not a 404 for the client, and not the end: an attempt may still be at work that takes longer.
		return object, fmt.Errorf("%w: the object is not there: %w", file.ErrStorageWrite,
			errors.Join(err, errors.New(missing.Error())))
	case missing != nil:
		return object, missing
	case object.Size != u.Size:
		return object, wrongSize(object, u, err)
	}
	return object, nil
}

// hashObject reads an object and returns the state of its SHA-256.
func (e *Engine) hashObject(ctx context.Context, u *file.Upload) ([]byte, error) {
	body, err := e.objects.Open(ctx, u.Location, u.ETag, 0, u.Size)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	h, err := file.ResumeHash(nil)
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(h, body)
	if err == nil && n != u.Size {
		err = fmt.Errorf("%w: %d of %d bytes came", file.ErrStorageRead, n, u.Size)
	}
	if err != nil {
		return nil, err
	}
	return saveHash(h)
}
