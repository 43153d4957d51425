package upload

import (
	"context"
	"errors"
	"fmt"

	"holdfast/file"
	"holdfast/storage"
)

const (
	mebibyte    = 1 << 20
	minPartSize = 8 * mebibyte
	// MaxPlannedParts is how many parts an upload has at most if none fails. It leaves numbers for parts that do: a number
	// is used only once.
	MaxPlannedParts = 9000
)

// PartSize returns the size of all parts but the last, in bytes: whole mebibytes, so that a file of the given length
// needs at most MaxPlannedParts.
func PartSize(longest int64) int64 {
	size := (longest + MaxPlannedParts - 1) / MaxPlannedParts
	size = (size + mebibyte - 1) / mebibyte * mebibyte
	return max(size, minPartSize)
}

// ChunkedPartSize returns the part size, in bytes, for a client that sends chunk bytes of an upload with each request:
// an even share of the chunk, if there is one that the store accepts, that is not longer than planned, and with which
// longest bytes need at most MaxPlannedParts. Then no bytes are left over at the end of a request, which would be
// stored twice: as a tail, and again at the start of a part.
func ChunkedPartSize(planned, chunk, longest int64) int64 {
	const most = 64 // parts; in longer requests one more tail matters little
	if chunk < storage.MinPart || chunk > most*planned {
		return planned
	}
	for n := (chunk + planned - 1) / planned; chunk/n >= storage.MinPart; n++ {
		if size := chunk / n; chunk%n == 0 && size*MaxPlannedParts >= longest {
			return size
		}
	}
	return planned
}

// objectLocation returns where the holder of the lease writes the object of an upload: under the layout's key if no
// other write can still arrive there, else under a key that only this lease writes to. The commit that makes the object
// valid also writes that key to the row. Every write of a new object must use objectLocation. Once a row has a
// multipart upload, its key is the row's, and every replica that completes it makes the same object.
func (e *Engine) objectLocation(u *file.Upload) file.Location {
	e.leases.noteWrite(u.ID)
	at := u.Location
	if !u.Alone() {
		at.Key = storage.FencedKey(u.ID, u.Epoch)
	}
	return at
}

// nextPart returns the number for the next part. Before the first part it begins the multipart upload.
func (e *Engine) nextPart(ctx context.Context, u *file.Upload, size int64) (int32, error) {
	number, err := e.rows.TakePart(ctx, u.Fence(), size)
	if err != nil {
		return 0, err
	}
	if number > storage.MaxParts {
		return 0, file.Refuse(file.ErrConflict, "This upload failed too often: begin a new one")
	}
	if u.Multipart.ID == "" {
		err = e.beginMultipart(ctx, u, len(u.Sources) > 0)
	}
	return number, err
}

// beginMultipart begins the multipart upload, and notes it in the row. withoutSums: see storage.Store.
func (e *Engine) beginMultipart(ctx context.Context, u *file.Upload, withoutSums bool) error {
	at := e.objectLocation(u)
	m, err := e.objects.BeginMultipart(ctx, at, u.Type, withoutSums)
	if err != nil {
		return err
	}
	if err := e.rows.SetMultipart(ctx, u.Fence(), at.Key, m, u.PartSize); err != nil {
		// It may have been committed nevertheless, unless another request has the lease now.
		if errors.Is(err, file.ErrConflict) {
			err = errors.Join(err, e.objects.Abort(ctx, at, m.ID))
		}
		return err
	}
	u.Location, u.Multipart = at, m
	return nil
}

// putPart stores a part, and retries once if the store failed. It uses the same number: it holds the same bytes
// whichever attempt arrives last.
func (e *Engine) putPart(ctx context.Context, at file.Location, m file.Multipart, number int32,
	body *payload) (part file.Part, err error) {
	for try := 1; try <= 2; try++ {
		err = e.send(ctx, body, func(r *payloadReader) (err error) {
			part, err = e.objects.PutPart(ctx, at, m, number, r, body.size)
			return err
		})
		if !errors.Is(err, file.ErrUnavailable) || ctx.Err() != nil {
			break
		}
	}
	if errors.Is(err, storage.ErrNoUpload) { // a lifecycle rule of the bucket, or an operator, has ended it
		err = fmt.Errorf("%w: %w", file.ErrLost, err)
	}
	return part, err
}

// put stores an object whole. sum is the CRC32 of its bytes as rows have it.
func (e *Engine) put(ctx context.Context, at file.Location, contentType string, body *payload) (etag, sum string,
	err error) {
	err = e.send(ctx, body, func(r *payloadReader) (err error) {
		etag, err = e.objects.Put(ctx, at, contentType, r, body.size)
		sum = r.checksum()
		return err
	})
	return etag, sum, err
}

// send calls put with a reader of the payload. If the store could not be read for a tail, that
// is the error: the write failed because of it.
func (e *Engine) send(ctx context.Context, body *payload, put func(*payloadReader) error) error {
	once := func() error {
		r := e.reader(ctx, body)
		err := put(r)
		if unread := r.end(); unread != nil && err != nil {
			err = errors.Join(unread, err)
		}
		return err
	}
	if body.remote {
		return e.memory.Move(ctx, once)
	}
	return once()
}

// release frees what a payload holds.
func (e *Engine) release(body *payload) {
	held := body.held
	body.recycle()
	e.memory.Free(held)
}
