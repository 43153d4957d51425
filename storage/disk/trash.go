package disk

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"

	"holdfast/file"
)

// What consists of several files is removed in three steps: its record is moved to the trash, its parts are removed,
// and then the record is removed. Each step is flushed before the next one. After a crash the record is still there,
// and the next start continues.

// note links the record at path into the trash, and returns once that was flushed; noteByRename moves it there.
func (s *Store) note(ctx context.Context, bucket, path string) (noted string, err error) {
	if noted, err = s.moveToTrash(ctx, bucket, path, s.fs.Link); err == nil {
		err = s.flush(ctx, nil, s.trash(bucket))
	}
	return noted, err
}

func (s *Store) noteByRename(ctx context.Context, bucket, path string) (noted string, err error) {
	return s.moveToTrash(ctx, bucket, path, s.fs.Rename)
}

func (s *Store) moveToTrash(
	ctx context.Context, bucket, path string, move func(from, to string) error,
) (noted string, err error) {
	dir := s.trash(bucket)
	if err := s.ensure(ctx, dir); err != nil {
		return "", err
	}
	noted = filepath.Join(dir, rand.Text())
	return noted, move(path, noted)
}

// discard removes the parts listed by a record in the trash, and then the record. Errors are not returned: for the
// caller the object is gone, and the next start continues.
func (s *Store) discard(ctx context.Context, bucket, noted string) {
	_ = s.removeNoted(ctx, bucket, noted)
}

// removeNoted removes the parts listed by a record in the trash, and then the record. After an error the record stays.
//
// The parts stay if they belong to an existing object: then the crash came before the object's record was replaced.
func (s *Store) removeNoted(ctx context.Context, bucket, noted string) error {
	r, err := s.recordAt(noted)
	if errors.Is(err, errDamaged) {
		return s.removeFile(noted)
	}
	if err != nil {
		return err
	}
	at := file.Location{Bucket: bucket, Key: r.Key}
	there, err := s.madeOf(at, r.Upload)
	if err == nil && !there && isID(r.Upload) {
		err = s.removeParts(ctx, at, r.Upload)
	}
	if err != nil {
		return err
	}
	return s.removeFile(noted)
}

// removeParts removes the parts of an upload whose record is in the trash, and returns once they can't reappear. The
// record was moved out of the folder of uploads or of objects; that is flushed first, or a power cut could restore it
// there without its parts.
func (s *Store) removeParts(ctx context.Context, at file.Location, id string) error {
	dir := s.parts(at.Bucket, id)
	s.folders.Delete(dir)
	from := []string{filepath.Dir(s.upload(at.Bucket, id)), filepath.Dir(s.object(at))}
	if err := s.flush(ctx, nil, append(from, s.trash(at.Bucket))...); err != nil {
		return err
	}
	if err := s.removeFolder(dir); err != nil {
		return err
	}
	return s.flush(ctx, nil, filepath.Dir(dir))
}

// emptyTrash continues removals that a crash has interrupted.
func (s *Store) emptyTrash(ctx context.Context, bucket string) error {
	names, err := s.fs.Names(s.trash(bucket))
	for _, name := range names {
		err = errors.Join(err, s.removeNoted(ctx, bucket, filepath.Join(s.trash(bucket), name)))
	}
	return err
}

// cleanUpCompleted cleans up after uploads that had become objects when a crash interrupted them.
func (s *Store) cleanUpCompleted(bucket string) error {
	names, err := s.fs.Names(filepath.Dir(s.upload(bucket, "x")))
	if err != nil {
		return err
	}
	for _, id := range names {
		if err := s.cleanUpCompletedUpload(bucket, id); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) cleanUpCompletedUpload(bucket, id string) error {
	lock := s.uploads.of(id)
	lock.Lock()
	defer lock.Unlock()
	begun, err := s.recordAt(s.upload(bucket, id))
	var object record
	if err == nil {
		object, err = s.recordAt(s.object(file.Location{Bucket: bucket, Key: begun.Key}))
	}
	if err == nil && object.Upload == id {
		err = s.removeLeftParts(bucket, id, object.Parts)
	}
	if isMissing(err) || errors.Is(err, errDamaged) {
		return nil
	}
	return err
}
