package importer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"holdfast/file"
	"holdfast/storage"
)

// Copy imports what a manifest names. open opens the manifest. It is called twice: once to check the whole
// manifest, and once to import.
func (im *Importer) Copy(ctx context.Context, open func() (io.ReadCloser, error)) error {
	read := func(each func(Item) error) error {
		r, err := open()
		if err != nil {
			return err
		}
		defer r.Close()
		return ReadManifest(r, im.Reserved, each)
	}
	total := int64(0)
	if err := read(func(Item) error { total++; return nil }); err != nil {
		return err
	}
	im.begin(total)
	return im.alone(ctx, func(ctx context.Context) error {
		g, ctx := im.group(ctx)
		err := read(func(it Item) error {
			g.Go(func() error { return im.copyOne(ctx, it) })
			return ctx.Err()
		})
		if done := g.Wait(); done != nil {
			return done
		}
		return err
	})
}

// copyOne imports one file. It returns an error only if the import has to end.
func (im *Importer) copyOne(ctx context.Context, it Item) error {
	r := Result{Source: it.Source, ID: it.ID}
	if err := im.enter(it.ID); err != nil {
		r.Outcome, r.Err = Failed, err
		im.report(r)
		return nil
	}
	defer im.leave(it.ID)
	r.Outcome, r.Err = im.importObject(ctx, &it, &r)
	if r.Err != nil && fatal(ctx, r.Err) {
		return r.Err
	}
	if r.Err != nil {
		r.Outcome = Failed
		if !im.DryRun {
			if err := im.Rows.FailImport(ctx, it.Source, it.Account, r.Err.Error()); err != nil {
				return err
			}
		}
	}
	im.report(r)
	return nil
}

func (im *Importer) importObject(ctx context.Context, it *Item, r *Result) (Outcome, error) {
	deleted, err := im.Rows.DeletedSince(ctx, it.ID)
	switch {
	case err != nil:
		return Failed, err
	case deleted && !im.Again:
		return Deleted, nil
	case deleted && !im.DryRun:
		if err := im.Rows.RepeatImport(ctx, it.Source, it.Account, it.ID); err != nil {
			return Failed, err
		}
	}
	if im.DryRun {
		if rec, err := im.Rows.File(ctx, it.ID); err == nil && rec.ETag != "" {
			return There, nil
		} else if err != nil && !errors.Is(err, file.ErrNotFound) {
			return Failed, err
		}
		o, err := im.open(ctx, it.Source)
		if err != nil {
			return Failed, err
		}
		r.Bytes = max(o.Size, 0)
		return Would, o.body.Close()
	}
	begun, err := im.Rows.Importing(ctx, it.ID)
	if err != nil {
		return Failed, err
	}
	id, done, err := im.Rows.BeginImport(ctx, it.Source, it.Account, it.ID)
	switch {
	case err != nil:
		return Failed, err
	case id != it.ID:
		return Failed, file.Refuse(file.ErrConflict, "this source was begun with the id %s", id)
	case done:
		return There, nil
	}
	// The object of a recorded file must not be overwritten, whichever program wrote the record. The object of another
	// program's record may be one that this import wrote before it was interrupted.
	rec, err := im.Rows.File(ctx, id)
	switch {
	case errors.Is(err, file.ErrNotFound):
	case err != nil:
		return Failed, err
	case rec.AccountID != it.Account || rec.ETag != "":
		return Failed, file.Refuse(file.ErrConflict, "a file %s exists already", id)
	case !begun:
		if _, err := im.Objects.Stat(ctx, im.Layout.Object(it.Account, id)); err == nil {
			return Failed, file.Refuse(file.ErrConflict, "a file %s exists already", id)
		}
	}
	foreign := err == nil
	err = retry(ctx, func() error { return im.transfer(ctx, it, r, foreign) })
	return Copied, err
}

// transfer copies the bytes, verifies them, and writes the record. foreign says that there is a record of another
// program.
func (im *Importer) transfer(ctx context.Context, it *Item, r *Result, foreign bool) error {
	to, err := im.place(ctx, it, foreign)
	if err != nil {
		return err
	}
	was, want, err := im.move(ctx, it, to)
	if err != nil {
		return err
	}
	o, err := im.Objects.Stat(ctx, to)
	if err != nil {
		return err
	}
	got, err := storage.Hash(ctx, im.Objects, to, o.ETag, o.Size)
	if err == nil {
		err = it.check(o.Size, got, want)
	}
	if err != nil {
		return errors.Join(err, im.Objects.Delete(ctx, to))
	}

	r.Bytes = o.Size
	rec := file.Record{ID: it.ID, Name: file.CleanName(it.Name), Type: contentType(it, was), Size: o.Size,
		UserID: it.User, AccountID: it.Account,
		CreatedAt: it.Created, Location: to, ETag: o.ETag, SHA256: got}
	if rec.CreatedAt.IsZero() {
		rec.CreatedAt = earlier(im.Now(), was.Modified)
	}
	if err := im.Rows.FinishImport(ctx, it.Source, rec); err != nil {
		return err
	}
	if plain := im.Layout.Object(it.Account, it.ID); foreign && to != plain {
		_ = im.Objects.Delete(ctx, plain) // no record names it any more; if it stays, reconcile finds it
	}
	return nil
}

// place is where this attempt writes the object: the first attempt under the layout's key, each later one under a
// key of its own, because late writes of earlier attempts may still arrive. It removes what those have left.
func (im *Importer) place(ctx context.Context, it *Item, foreign bool) (file.Location, error) {
	at := im.Layout.Object(it.Account, it.ID)
	attempt, err := im.Rows.TryImport(ctx, it.Source, it.Account)
	if err == nil {
		err = im.clear(ctx, at.Bucket, it.ID)
	}
	if err != nil || attempt == 1 {
		return at, err
	}
	if !foreign { // or it may be the object of that program's record
		err = im.Objects.Delete(ctx, at)
	}
	at.Key = storage.FencedKey(it.ID, attempt)
	return at, err
}

// check compares what the store returns with the source and with the manifest.
func (it *Item) check(size int64, got, want []byte) error {
	switch {
	case it.Size >= 0 && size != it.Size:
		return fmt.Errorf("the manifest says %d bytes, the source has %d", it.Size, size)
	case !bytes.Equal(got, want):
		return fmt.Errorf("%w: the store gives back the SHA-256 %x, the source has %x", file.ErrStorageWrite, got, want)
	case it.SHA256 != nil && !bytes.Equal(got, it.SHA256):
		return fmt.Errorf("the manifest says the SHA-256 %x, the source has %x", it.SHA256, got)
	}
	return nil
}

// contentType is the type in the manifest or, without one, the source's.
func contentType(it *Item, was storage.Object) string {
	if it.Type != "" {
		return file.CleanType(it.Type)
	}
	return file.CleanType(was.Type)
}

// clear removes what interrupted attempts have left in the store, except for an object under the layout's key.
func (im *Importer) clear(ctx context.Context, bucket string, id file.ID) error {
	left, err := im.Objects.Leftovers(ctx, bucket, id)
	for _, m := range left.Multiparts {
		err = errors.Join(err, im.Objects.Abort(ctx, file.Location{Bucket: bucket, Key: m.Key}, m.ID))
	}
	for _, key := range left.Keys {
		err = errors.Join(err, im.Objects.Delete(ctx, file.Location{Bucket: bucket, Key: key}))
	}
	return err
}

// move copies the bytes to their place: the store does it if it has the source, too. It returns what the source
// says about itself and the SHA-256 of its bytes.
func (im *Importer) move(ctx context.Context, it *Item, to file.Location) (was storage.Object, sum []byte, err error) {
	if at, s3 := located(it.Source); s3 && im.From == nil {
		if was, err = im.Objects.Stat(ctx, at); err != nil {
			return was, nil, err
		}
		if was.Size <= storage.MaxCopy {
			err = im.Objects.Copy(ctx, at, was.ETag, to, contentType(it, was))
			if err == nil {
				sum, err = storage.Hash(ctx, im.Objects, at, was.ETag, was.Size)
			}
			if !errors.Is(err, storage.ErrNoCopy) {
				return was, sum, err
			}
		}
	}
	o, err := im.open(ctx, it.Source)
	if err != nil {
		return was, nil, err
	}
	defer o.body.Close()
	sum, err = im.stream(ctx, o, to, contentType(it, o.Object))
	return o.Object, sum, err
}

// whole makes an error of a body that was cut: io.ReadFull returns io.ErrUnexpectedEOF for that, and also at the normal
// end of a body.
type whole struct{ io.Reader }

func (w whole) Read(b []byte) (int, error) {
	n, err := w.Reader.Read(b)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %s", file.ErrStorageRead, err.Error())
	}
	return n, err
}

// partSize is the size of parts in bytes, unless a source needs larger ones.
const partSize = 8 << 20

// stream sends the bytes of a source to the store, and hashes them.
func (im *Importer) stream(ctx context.Context, o openedSource, to file.Location, contentType string) ([]byte, error) {
	if o.Size > storage.MaxObject { // not only said by who has such a file: parts of that size would not fit the memory
		return nil, file.Refuse(file.ErrTooLarge, "the source says that it has %d bytes, a file has at most %d", o.Size,
			int64(storage.MaxObject))
	}
	size := int64(partSize)
	for size*(storage.MaxParts-1) < o.Size {
		size *= 2
	}
	if o.Size >= 0 && o.Size < size {
		size = o.Size + 1 // one more, to read the end, too
	}
	h := sha256.New()
	body, buf := io.TeeReader(whole{o.body}, h), make([]byte, size)
	n, err := io.ReadFull(body, buf)
	if err == io.EOF || err == io.ErrUnexpectedEOF { // all of it
		if o.Size >= 0 && int64(n) != o.Size {
			return nil, fmt.Errorf("%w: %d of %d bytes came", file.ErrStorageRead, n, o.Size)
		}
		_, err = im.Objects.Put(ctx, to, contentType, bytes.NewReader(buf[:n]), int64(n))
		return h.Sum(nil), err
	}
	if err != nil {
		return nil, err
	}
	m, err := im.Objects.BeginMultipart(ctx, to, contentType, false)
	if err != nil {
		return nil, err
	}
	parts, err := im.parts(ctx, body, buf, to, m)
	if err == nil && o.Size >= 0 && parts[len(parts)-1].Offset+parts[len(parts)-1].Size != o.Size {
		err = fmt.Errorf("%w: not %d bytes came", file.ErrStorageRead, o.Size)
	}
	if err == nil {
		err = im.Objects.Complete(ctx, to, m, parts)
	}
	if err != nil {
		return nil, errors.Join(err, im.Objects.Abort(context.WithoutCancel(ctx), to, m.ID))
	}
	return h.Sum(nil), nil
}

// parts sends the full buffer and the rest of the body, one part after the other: several files are imported at the
// same time, and each may hold only one buffer.
func (im *Importer) parts(ctx context.Context, body io.Reader, buf []byte, to file.Location,
	m file.Multipart) (parts []file.Part, err error) {
	for n, last := len(buf), false; n > 0; {
		if len(parts) == storage.MaxParts {
			return nil, file.Refuse(file.ErrTooLarge, "a source that does not say its length has at most %d bytes",
				storage.MaxParts*int64(len(buf)))
		}
		p, err := im.Objects.PutPart(ctx, to, m, int32(len(parts)+1), bytes.NewReader(buf[:n]), int64(n))
		if err != nil {
			return nil, err
		}
		if len(parts) > 0 {
			p.Offset = parts[len(parts)-1].Offset + parts[len(parts)-1].Size
		}
		if parts = append(parts, p); last {
			break
		}
		n, err = io.ReadFull(body, buf)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, err
		}
		last = err != nil
	}
	return parts, nil
}
