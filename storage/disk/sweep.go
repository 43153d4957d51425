package disk

import (
	"context"
	"errors"
	"path/filepath"

	"holdfast/file"
	"holdfast/storage"
)

// Sweep tries removals again that have failed, as each start does. Nothing is removed while a backup is made.
func (s *Store) Sweep(ctx context.Context) error {
	return s.call(ctx, "Sweep", "go on with removals", file.ErrStorageWrite, func(ctx context.Context) error {
		if err := s.holding.removal(); errors.Is(err, storage.ErrHeld) {
			return nil
		} else if err != nil {
			return err
		}
		s.unnamed.Range(func(path, _ any) bool {
			if s.removeFile(path.(string)) == nil {
				s.unnamed.Delete(path)
			}
			return ctx.Err() == nil
		})
		names, err := s.fs.Names(filepath.Join(s.root, "buckets"))
		for _, name := range names {
			if bucket, ok := decode(name); ok && ctx.Err() == nil {
				err = errors.Join(err, s.sweepTrash(ctx, bucket), s.cleanUpCompleted(bucket))
			}
		}
		return err
	})
}

// sweepTrash is emptyTrash beside other calls: one that replaces an object has noted it first, and holds its lock until
// the new one has the name.
func (s *Store) sweepTrash(ctx context.Context, bucket string) error {
	names, err := s.fs.Names(s.trash(bucket))
	for _, name := range names {
		noted := filepath.Join(s.trash(bucket), name)
		r, readErr := s.recordAt(noted)
		if isMissing(readErr) {
			continue // another call was faster
		}
		lock := s.keys.of(s.object(file.Location{Bucket: bucket, Key: r.Key}))
		lock.Lock()
		if failed := s.removeNoted(ctx, bucket, noted); !isMissing(failed) {
			err = errors.Join(err, failed)
		}
		lock.Unlock()
	}
	return err
}

// Orphans implements storage.OrphanLister: folders of parts that belong neither to an upload nor to an object, since
// the record that named them was damaged when it was removed. While a damaged object is in the bucket there are none:
// they may be its parts.
func (s *Store) Orphans(ctx context.Context, bucket string, each func(storage.MultipartUpload) error) error {
	const doing = "look for parts without an object"
	return s.call(ctx, "ListOrphans", doing, file.ErrStorageRead, func(ctx context.Context) error {
		ids, err := s.orphans(ctx, bucket)
		for _, id := range ids {
			info, statErr := s.fs.Lstat(s.parts(bucket, id))
			if isMissing(statErr) {
				continue
			}
			if err = errors.Join(err, statErr); err == nil {
				err = each(storage.MultipartUpload{ID: id, Since: info.ModTime()})
			}
		}
		return err
	})
}

func (s *Store) orphans(ctx context.Context, bucket string) (ids []string, err error) {
	names, err := s.fs.Names(filepath.Dir(s.parts(bucket, "x")))
	if err != nil {
		return nil, err
	}
	// The record of an upload is removed after its object is there. So whatever has none now is named by an object that
	// is read below, if by any.
	left := map[string]bool{}
	for _, id := range names {
		if _, err := s.fs.Lstat(s.upload(bucket, id)); isMissing(err) && isID(id) {
			left[id] = true
		} else if err != nil && !isMissing(err) {
			return nil, err
		}
	}
	if len(left) == 0 {
		return nil, nil
	}
	for _, dir := range []string{s.trash(bucket), filepath.Join(s.bucket(bucket), "objects")} {
		if err := s.dropNamed(ctx, dir, left); errors.Is(err, errDamaged) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
	}
	for id := range left {
		ids = append(ids, id)
	}
	return ids, nil
}

// dropNamed removes from a set those uploads that a record in a tree of folders names.
func (s *Store) dropNamed(ctx context.Context, dir string, left map[string]bool) error {
	names, err := s.fs.Names(dir)
	for _, name := range names {
		path := filepath.Join(dir, name)
		info, statErr := s.fs.Lstat(path)
		switch {
		case isMissing(statErr):
			continue
		case statErr != nil:
			return statErr
		case info.IsDir():
			err = s.dropNamed(ctx, path, left)
		default:
			var r record
			if r, err = s.recordAt(path); err == nil {
				delete(left, r.Upload)
			} else if isMissing(err) {
				err = nil // removed meanwhile
			}
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
	}
	return err
}

// removeOrphan removes a folder of parts that Orphans has found.
func (s *Store) removeOrphan(ctx context.Context, bucket, id string) error {
	ids, err := s.orphans(ctx, bucket)
	for _, orphan := range ids {
		if orphan == id {
			return errors.Join(s.removeFolder(s.parts(bucket, id)), s.flush(ctx, nil, filepath.Dir(s.parts(bucket, id))))
		}
	}
	return err
}
