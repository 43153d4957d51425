package disk

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"holdfast/file"
	"holdfast/storage"
)

// BeginMultipart implements storage.Store.
func (s *Store) BeginMultipart(
	ctx context.Context, at file.Location, contentType string, withoutSums bool,
) (m file.Multipart, err error) {
	err = s.call(ctx, "CreateMultipartUpload", "begin multipart upload", file.ErrStorageWrite,
		func(ctx context.Context) error {
			return s.write(0, func() error {
				m = file.Multipart{ID: string(file.NewID()), Sums: !withoutSums}
				return s.begin(ctx, at.Bucket, record{Key: at.Key, Type: contentType, Upload: m.ID})
			})
		})
	return m, err
}

// begin writes the record of an upload.
func (s *Store) begin(ctx context.Context, bucket string, r record) error {
	d, err := s.newDraft()
	if err != nil {
		return err
	}
	defer d.drop()
	path := s.upload(bucket, r.Upload)
	if err := s.ensure(ctx, filepath.Dir(path)); err != nil {
		return err
	}
	if err := r.append(d); err != nil {
		return err
	}
	if err := d.flush(ctx); err != nil {
		return err
	}
	if err := d.rename(path); err != nil {
		return err
	}
	return s.flush(ctx, nil, filepath.Dir(path))
}

// begun returns the record of an upload for a key; storage.ErrNoUpload if there is none.
func (s *Store) begun(at file.Location, id string) (record, error) {
	if !isID(id) {
		return record{}, fmt.Errorf("%w: %q", storage.ErrNoUpload, id)
	}
	r, err := s.recordAt(s.upload(at.Bucket, id))
	if isMissing(err) || err == nil && r.Key != at.Key {
		err = fmt.Errorf("%w: %s", storage.ErrNoUpload, id)
	}
	return r, err
}

// PutPart implements storage.Store.
func (s *Store) PutPart(
	ctx context.Context, at file.Location, m file.Multipart, number int32, body io.ReadSeeker, size int64,
) (part file.Part, err error) {
	err = s.call(ctx, "UploadPart", "put part", file.ErrStorageWrite, func(ctx context.Context) error {
		return s.write(size, func() error {
			part, err = s.putPart(ctx, at, m, number, func(d *draft) (string, error) {
				d.uncached = true
				sums, err := copyExactly(ctx, d, body, size)
				if err != nil {
					return "", err
				}
				return sums.etag(), nil
			}, size)
			return err
		})
	})
	return part, err
}

// putPart stores a part. fill writes its bytes, and returns its ETag.
func (s *Store) putPart(
	ctx context.Context, at file.Location, m file.Multipart, number int32, fill func(*draft) (string, error), size int64,
) (part file.Part, err error) {
	if number < 1 || number > storage.MaxParts {
		return part, fmt.Errorf("part number %d", number)
	}
	if _, err := s.begun(at, m.ID); err != nil {
		return part, err
	}
	d, err := s.newDraft()
	if err != nil {
		return part, err
	}
	defer d.drop()
	etag, err := fill(d)
	if err != nil {
		return part, err
	}
	part = file.Part{Number: number, Size: size, ETag: quoted(etag)}
	if m.Sums {
		part.CRC32 = crcOf(etag)
	}
	info, backdateErr := d.backdate() // where that fails, Complete reads the part once more
	dir := s.parts(at.Bucket, m.ID)
	if err := s.ensure(ctx, filepath.Dir(dir)); err != nil {
		return part, err
	}
	path := filepath.Join(dir, nameOf(part))
	if err := s.namePart(ctx, d, at, m.ID, path); err != nil {
		return part, err
	}
	dirs := []string{dir}
	if _, known := s.folders.Load(dir); !known {
		dirs = append(dirs, filepath.Dir(dir))
	}
	if err := d.flush(ctx, dirs...); err != nil {
		return part, err
	}
	s.folders.Store(dir, true)
	if backdateErr == nil {
		s.fresh.note(path, info)
	}
	return part, nil
}

// namePart gives a part its name, if its upload was not ended meanwhile. The caller flushes the part and its folders.
//
// If the name exists already, the part was stored before, with the same bytes, and maybe acknowledged. Then this one
// is flushed before it takes the name: a power cut must leave one of the two.
func (s *Store) namePart(ctx context.Context, d *draft, at file.Location, id, path string) error {
	lock := s.uploads.of(id)
	lock.Lock()
	defer lock.Unlock()
	if _, err := s.begun(at, id); err != nil {
		return err
	}
	if err := s.mkdir(filepath.Dir(path)); err != nil {
		return err
	}
	_, err := s.fs.Lstat(path)
	if err == nil {
		err = d.flush(ctx)
	}
	if err != nil && !isMissing(err) {
		return err
	}
	return d.rename(path)
}

// crcOf returns the CRC32 in an ETag of sums, in S3's encoding.
func crcOf(etag string) string {
	b, err := hex.DecodeString(etag)
	if err != nil || len(b) != 12 {
		return ""
	}
	return base64.StdEncoding.EncodeToString(b[8:])
}

// CopyPart implements storage.Copier. The kernel copies the bytes, or has the file system share them. The copy is then
// read for its sums, which every part has.
func (s *Store) CopyPart(
	ctx context.Context, from file.Location, fromETag string, offset, length int64,
	to file.Location, m file.Multipart, number int32,
) (part file.Part, err error) {
	err = s.call(ctx, "UploadPartCopy", "copy part", file.ErrStorageWrite, func(ctx context.Context) error {
		return s.write(length, func() error {
			part, err = s.putPart(ctx, to, m, number, func(d *draft) (string, error) {
				return s.copyRange(ctx, d, from, fromETag, offset, length)
			}, length)
			return err
		})
	})
	return part, err
}

func (s *Store) copyRange(
	ctx context.Context, to *draft, from file.Location, fromETag string, offset, length int64,
) (etag string, err error) {
	o, err := s.stat(from)
	if err != nil {
		return "", err
	}
	if fromETag == "" {
		fromETag = o.ETag
	}
	body, err := s.open(ctx, from, fromETag, offset, length)
	if errors.Is(err, file.ErrObjectChanged) && bare(fromETag) == bare(o.ETag) {
		return "", fmt.Errorf("%w: %s", file.ErrStorageWrite, err.Error()) // the source does not have this range
	}
	if err != nil {
		return "", err
	}
	defer body.Close()
	for done := int64(0); done < length; {
		n, err := body.Pass(to, copyStep, 0)
		if done += n; err != nil {
			return "", err
		}
	}
	h := newSums()
	if err := s.sumFile(ctx, h, to.path, length); err != nil {
		return "", fmt.Errorf("read the copy: %w: %s", file.ErrStorageWrite, err.Error()) // not the source's damage
	}
	return h.etag(), nil
}

// copyStep is the number of bytes that are copied between two checks of the context.
const copyStep = 64 << 20

// Complete implements storage.Store. It waits until a backup has copied the parts.
func (s *Store) Complete(ctx context.Context, at file.Location, m file.Multipart, parts []file.Part) error {
	return s.call(ctx, "CompleteMultipartUpload", "complete multipart upload", file.ErrStorageWrite,
		func(ctx context.Context) error {
			if err := s.holding.completion(ctx); err != nil {
				return err
			}
			return s.write(0, func() error { return s.complete(ctx, at, m.ID, parts) })
		})
}

// complete writes the object, whose record lists the parts, and then removes the record of the upload. After a crash
// in between both exist: then the upload counts as completed.
func (s *Store) complete(ctx context.Context, at file.Location, id string, parts []file.Part) error {
	lock := s.uploads.of(id)
	lock.Lock()
	defer lock.Unlock()
	was, err := s.begun(at, id)
	if err != nil && !errors.Is(err, storage.ErrNoUpload) {
		return err
	}
	done, lookErr := s.madeOf(at, id)
	switch {
	case lookErr != nil && !errors.Is(lookErr, errDamaged):
		return lookErr
	case done:
		return s.flush(ctx, nil, filepath.Dir(s.object(at))) // an earlier call may have failed to flush
	case err != nil:
		return fmt.Errorf("%w: %w", storage.ErrDamaged, err) // nobody else can be completing it
	}
	r := record{Key: at.Key, Type: was.Type, Upload: id}
	if err := s.assemble(ctx, at.Bucket, &r, parts); err != nil {
		return err
	}
	d, err := s.newDraft()
	if err != nil {
		return err
	}
	defer d.drop()
	if err := s.publish(ctx, d, at, r); err != nil {
		return err
	}
	return s.removeLeftParts(at.Bucket, id, r.Parts)
}

// madeOf reports whether the object at a location was made from an upload.
func (s *Store) madeOf(at file.Location, id string) (bool, error) {
	r, err := s.recordAt(s.object(at))
	if isMissing(err) {
		return false, nil
	}
	return err == nil && isID(id) && r.Upload == id, err
}

// assemble puts the parts into a record, after it has seen that all of them are what was stored.
func (s *Store) assemble(ctx context.Context, bucket string, r *record, parts []file.Part) error {
	if len(parts) == 0 {
		return errors.New("no parts")
	}
	parts = slices.SortedFunc(slices.Values(parts), func(a, b file.Part) int { return int(a.Number) - int(b.Number) })
	h := newSums()
	for i, p := range parts {
		if i > 0 && parts[i-1].Number == p.Number {
			return fmt.Errorf("part %d is listed twice", p.Number)
		}
		r.Parts, r.Size = append(r.Parts, nameOf(p)), r.Size+p.Size
		fmt.Fprintln(h, nameOf(p))
	}
	r.ETag = fmt.Sprintf("%s-%d", h.etag(), len(parts))
	check, ctx := errgroup.WithContext(ctx)
	check.SetLimit(checkedAtOnce)
	for _, p := range parts {
		check.Go(func() error { return s.checkUnlessFresh(ctx, bucket, r.Upload, p) })
	}
	return check.Wait()
}

// removeLeftParts cleans up after an upload that has become an object: it removes the parts that are not in keep, and
// then the record of the upload.
func (s *Store) removeLeftParts(bucket, id string, keep []string) error {
	dir := s.parts(bucket, id)
	s.folders.Delete(dir)
	names, err := s.fs.Names(dir)
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, name := range keep {
		kept[name] = true
	}
	for _, name := range names {
		if !kept[name] {
			err = errors.Join(err, s.removeFile(filepath.Join(dir, name)))
		}
	}
	return errors.Join(err, s.removeFile(s.upload(bucket, id)))
}

// Abort implements storage.Store; storage.ErrHeld during a backup.
func (s *Store) Abort(ctx context.Context, at file.Location, uploadID string) error {
	return s.call(ctx, "AbortMultipartUpload", "abort multipart upload", file.ErrStorageWrite,
		func(ctx context.Context) error {
			if err := s.holding.removal(); err != nil {
				return err
			}
			lock := s.uploads.of(uploadID)
			lock.Lock()
			defer lock.Unlock()
			if _, err := s.begun(at, uploadID); errors.Is(err, storage.ErrNoUpload) && at.Key == "" {
				return s.removeOrphan(ctx, at.Bucket, uploadID)
			} else if errors.Is(err, storage.ErrNoUpload) {
				return nil
			} else if err != nil {
				return err
			}
			noted, err := s.noteByRename(ctx, at.Bucket, s.upload(at.Bucket, uploadID))
			if err == nil {
				s.discard(ctx, at.Bucket, noted)
			}
			return err
		})
}
