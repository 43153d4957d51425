package tus

import (
	"context"
	"errors"
	"fmt"

	"holdfast/file"
	"holdfast/storage"
)

// finish takes an upload that has all its bytes the rest of the way to its record.
// Every step can be repeated and is committed before the next, so that whoever touches
// the upload after a crash goes on where it stopped. ctx must be the lease's.
func (e *Engine) finish(ctx context.Context, u *file.Upload) error {
	for u.State != file.Recorded {
		step := map[file.State]func(context.Context, *file.Upload) error{
			file.Open: e.seal, file.Completing: e.complete, file.Stored: e.record,
		}[u.State]
		if step == nil {
			return file.NotFound(u.ID)
		}
		from := u.State
		if err := step(ctx, u); err != nil {
			return fmt.Errorf("finish %s from %s: %w", u.ID, from, err)
		}
	}
	return nil
}

// seal brings bytes that still lie in tails to where they belong: into the object
// itself if there are no parts (an empty file has neither), else into the last part.
func (e *Engine) seal(ctx context.Context, u *file.Upload) error {
	var body buffer
	defer body.free()
	switch {
	case u.MultipartID == "":
		etag, err := e.putWhole(ctx, u, &body)
		if err != nil {
			return err
		}
		return e.commitSealed(ctx, u, file.Progress{ETag: etag})
	case len(u.Tails) > 0:
		part, err := e.putPart(ctx, u, &body)
		if err != nil {
			return err
		}
		return e.commitSealed(ctx, u, file.Progress{Part: &part})
	default:
		return e.advance(ctx, u, file.Completing, "")
	}
}

// commitSealed commits progress that adds no bytes.
func (e *Engine) commitSealed(ctx context.Context, u *file.Upload, p file.Progress) error {
	p.Offset, p.HashState = u.Offset, u.HashState
	if err := e.rows.Commit(ctx, u.Fence(), p); err != nil {
		return err
	}
	e.apply(ctx, u, p)
	return nil
}

// complete has the store make one object of the parts, and looks at the result: a
// store's word that it is done is not enough. It may have been done before.
func (e *Engine) complete(ctx context.Context, u *file.Upload) error {
	completed := e.objects.Complete(ctx, u.Location, u.MultipartID, u.Parts)
	object, err := e.objects.Stat(ctx, u.Location)
	switch {
	case errors.Is(err, file.ErrObjectMissing):
		// Not a client's 404: the bytes are there as parts, the object has to come.
		return fmt.Errorf("%w: the object is not there: %w", file.ErrStorageWrite, errors.Join(completed, errors.New(err.Error())))
	case err != nil:
		return err
	case object.Size != u.Size:
		return fmt.Errorf("%w: the object has %d bytes, the upload %d: %w", file.ErrStorageWrite, object.Size, u.Size, completed)
	case completed != nil && !errors.Is(completed, storage.ErrNoUpload):
		// It is there from an attempt before, and this one left its parts lying about.
		if err := e.objects.Abort(ctx, u.Location, u.MultipartID); err != nil {
			e.log.Warn("parts of a completed upload stay", "upload", u.ID, "error", err)
		}
	}
	return e.advance(ctx, u, file.Stored, object.ETag)
}

// record makes the file visible.
func (e *Engine) record(ctx context.Context, u *file.Upload) error {
	if err := e.finisher.PostFinish(ctx, u); err != nil {
		return err
	}
	u.State = file.Recorded
	return nil
}

func (e *Engine) advance(ctx context.Context, u *file.Upload, to file.State, etag string) error {
	if err := e.rows.Advance(ctx, u.Fence(), u.State, to, etag); err != nil {
		return err
	}
	u.State, u.ETag = to, etag
	return nil
}

// putPart stores the tails and then body as the upload's next part. body then holds
// what the part holds.
func (e *Engine) putPart(ctx context.Context, u *file.Upload, body *buffer) (file.Part, error) {
	p := file.Part{Offset: u.Offset - u.TailSize()}
	if err := e.gather(ctx, u, body); err != nil {
		return p, err
	}
	p.Size = body.size
	var err error
	if p.Number, err = e.rows.TakePart(ctx, u.Fence()); err != nil {
		return p, err
	}
	if p.Number > storage.MaxParts {
		return p, file.Refuse(file.ErrConflict, "This upload failed too often, begin a new one")
	}
	if u.MultipartID == "" {
		if err := e.beginMultipart(ctx, u); err != nil {
			return p, err
		}
	}
	p.ETag, err = e.objects.PutPart(ctx, u.Location, u.MultipartID, p.Number, body.reader(), body.size)
	return p, err
}

func (e *Engine) beginMultipart(ctx context.Context, u *file.Upload) error {
	id, err := e.objects.BeginMultipart(ctx, u.Location, u.Type)
	if err != nil {
		return err
	}
	if err := e.rows.SetMultipart(ctx, u.Fence(), id); err != nil {
		return errors.Join(err, e.objects.Abort(ctx, u.Location, id))
	}
	u.MultipartID = id
	return nil
}

// putWhole stores the tails and then body as the finished object. The store takes it
// whole or not at all, so its size needs no second look.
func (e *Engine) putWhole(ctx context.Context, u *file.Upload, body *buffer) (etag string, err error) {
	if err := e.gather(ctx, u, body); err != nil {
		return "", err
	}
	if body.size != u.Size {
		return "", fmt.Errorf("the tails of %s have %d bytes of %d", u.ID, body.size, u.Size)
	}
	return e.objects.Put(ctx, u.Location, u.Type, body.reader(), body.size)
}

// gather reads the upload's tails back, before what body holds.
func (e *Engine) gather(ctx context.Context, u *file.Upload, body *buffer) error {
	if len(u.Tails) == 0 {
		return nil
	}
	var all buffer
	for _, t := range u.Tails {
		if err := e.readTail(ctx, file.Location{Bucket: u.Location.Bucket, Key: t.Key}, t.Size, &all); err != nil {
			all.free()
			return fmt.Errorf("read back %s: %w", t.Key, err)
		}
	}
	all.take(body)
	*body = all
	return nil
}

func (e *Engine) readTail(ctx context.Context, at file.Location, size int64, into *buffer) error {
	r, err := e.objects.Open(ctx, at, "", 0, size)
	if errors.Is(err, file.ErrObjectMissing) {
		return fmt.Errorf("%w: a committed tail: %s", file.ErrStorageRead, err.Error()) // no 404 for the client
	}
	if err != nil {
		return err
	}
	defer r.Close()
	before := into.size
	if err := into.fill(r, size); into.size-before != size { // the last bytes may come with an io.EOF
		return fmt.Errorf("%w: %w", file.ErrStorageRead, err)
	}
	return nil
}

// apply makes u what a commit made of its row, and removes tails that are not needed
// any more.
func (e *Engine) apply(ctx context.Context, u *file.Upload, p file.Progress) {
	u.Offset, u.HashState = p.Offset, p.HashState
	if p.Tail != nil && !p.Merged {
		u.Tails = append(u.Tails, *p.Tail)
		return
	}
	e.discard(ctx, u.Location.Bucket, u.Tails)
	u.Tails = nil
	switch {
	case p.Part != nil:
		u.Parts = append(u.Parts, *p.Part)
	case p.Tail != nil:
		u.Tails = []file.Tail{*p.Tail}
	default:
		u.State, u.ETag = file.Stored, p.ETag
	}
}
