package disk

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/file"
	"holdfast/storage"
)

// pageSize is the largest number of objects on a page.
const pageSize = 1000

// List implements storage.Store.
func (s *Store) List(ctx context.Context, bucket, prefix, after string) (page []storage.ListedObject, err error) {
	err = s.call(ctx, "ListObjectsV2", "list objects", file.ErrStorageRead, func(ctx context.Context) error {
		// If all objects of a page were deleted after their names were read, the next page takes its place.
		for len(page) == 0 {
			keys, err := s.page(bucket, prefix, after)
			if err != nil || len(keys) == 0 {
				return err
			}
			for _, key := range keys {
				o, err := s.listed(file.Location{Bucket: bucket, Key: key})
				if err = errors.Join(err, ctx.Err()); errors.Is(err, file.ErrObjectMissing) {
					continue
				} else if err != nil {
					return err
				}
				page = append(page, o)
			}
			after = keys[len(keys)-1]
		}
		return nil
	})
	return page, err
}

// listed returns an object as a listing shows it. A damaged object is listed, too, with the size of what is there.
func (s *Store) listed(at file.Location) (storage.ListedObject, error) {
	o, err := s.find(at)
	if o.file != nil {
		o.file.Close()
	}
	if errors.Is(err, errDamaged) {
		info, err := s.fs.Lstat(s.object(at))
		if isMissing(err) || err == nil && !info.Mode().IsRegular() {
			return storage.ListedObject{}, file.ErrObjectMissing
		}
		return storage.ListedObject{Key: at.Key, Size: info.Size(), Modified: info.ModTime()}, err
	}
	if err == nil && o.Upload != "" {
		o.Size, err = s.sizeOfParts(at.Bucket, o.record)
	}
	return storage.ListedObject{Key: at.Key, Size: o.Size, ETag: quoted(o.ETag), Modified: o.modified}, err
}

// sizeOfParts adds up the bytes of an object's parts that exist, each at most with its recorded size.
func (s *Store) sizeOfParts(bucket string, r record) (sum int64, err error) {
	for _, name := range r.Parts {
		want, err := partSize(name)
		if err != nil {
			return 0, err
		}
		info, err := s.fs.Lstat(filepath.Join(s.parts(bucket, r.Upload), name))
		if isMissing(err) {
			continue
		}
		if err != nil {
			return 0, err
		}
		sum += min(want, info.Size())
	}
	return sum, nil
}

// page returns the keys of a page.
func (s *Store) page(bucket, prefix, after string) ([]string, error) {
	wanted := func(key string) bool { return key > after && strings.HasPrefix(key, prefix) }
	keys, err := s.old.keys(bucket, wanted)
	if err != nil {
		return nil, err
	}
	keys = firstPage(keys)
	dir := filepath.Join(s.bucket(bucket), "objects")
	shards, err := s.shards(dir)
	if err != nil {
		return nil, err
	}
	for _, shard := range shards {
		// All keys of a shard begin with its name, and shards are sorted.
		if len(keys) == pageSize && keys[pageSize-1] < shard {
			break
		}
		if n := min(len(shard), len(prefix)); shard[:n] != prefix[:n] || shard < after[:min(len(after), len(shard))] {
			continue
		}
		found, err := s.keysIn(filepath.Join(dir, encode(shard)), wanted)
		if err != nil {
			return nil, err
		}
		keys = firstPage(append(keys, found...))
	}
	return keys, nil
}

// firstPage sorts keys, and cuts them to a page without duplicates.
func firstPage(keys []string) []string {
	slices.Sort(keys)
	keys = slices.Compact(keys)
	return keys[:min(len(keys), pageSize)]
}

// shards returns the shards of a bucket, sorted.
func (s *Store) shards(dir string) (shards []string, err error) {
	names, err := s.fs.Names(dir)
	for _, name := range names {
		if shard, ok := decode(name); ok {
			shards = append(shards, shard)
		}
	}
	slices.Sort(shards)
	return shards, err
}

// keysIn returns the keys of the objects in a shard.
func (s *Store) keysIn(dir string, wanted func(string) bool) (keys []string, err error) {
	names, err := s.fs.Names(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		key, ok := decode(name)
		if !ok && isLong(name) {
			r, err := s.recordAt(filepath.Join(dir, name))
			if isMissing(err) || errors.Is(err, errDamaged) {
				continue // deleted meanwhile, or the record with its key is damaged
			}
			if err != nil {
				return nil, err
			}
			key, ok = r.Key, true
		}
		if ok && wanted(key) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// Multiparts implements storage.Store.
func (s *Store) Multiparts(ctx context.Context, bucket string, each func(storage.MultipartUpload) error) error {
	var all []storage.MultipartUpload
	err := s.call(ctx, "ListMultipartUploads", "list multipart uploads", file.ErrStorageRead,
		func(context.Context) (err error) { all, err = s.allMultiparts(bucket); return err })
	if err != nil {
		return err
	}
	for _, b := range all {
		if err := each(b); err != nil {
			return err
		}
	}
	return nil
}

// allMultiparts returns the unfinished uploads of a bucket, sorted by key and id.
func (s *Store) allMultiparts(bucket string) (all []storage.MultipartUpload, err error) {
	ids, err := s.fs.Names(filepath.Dir(s.upload(bucket, "x")))
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		path := s.upload(bucket, id)
		info, err := s.fs.Lstat(path)
		var r record
		if err == nil {
			r, err = s.recordAt(path)
		}
		if isMissing(err) || errors.Is(err, errDamaged) {
			continue // ended meanwhile, or not a valid upload
		}
		if err != nil {
			return nil, err
		}
		all = append(all, storage.MultipartUpload{Key: r.Key, ID: id, Since: info.ModTime()})
	}
	slices.SortFunc(all, func(a, b storage.MultipartUpload) int {
		return strings.Compare(a.Key+"\x00"+a.ID, b.Key+"\x00"+b.ID)
	})
	return all, nil
}

// Buckets implements storage.Store.
func (s *Store) Buckets(ctx context.Context, prefix string) (buckets []string, err error) {
	err = s.call(ctx, "ListBuckets", "list buckets", file.ErrStorageRead, func(context.Context) error {
		if buckets, err = s.old.buckets(); err != nil {
			return err
		}
		names, err := s.fs.Names(filepath.Join(s.root, "buckets"))
		for _, name := range names {
			if bucket, ok := decode(name); ok {
				buckets = append(buckets, bucket)
			}
		}
		slices.Sort(buckets)
		buckets = slices.DeleteFunc(slices.Compact(buckets), func(b string) bool { return !strings.HasPrefix(b, prefix) })
		return err
	})
	return buckets, err
}

// Leftovers implements storage.Store.
func (s *Store) Leftovers(ctx context.Context, bucket string, id file.ID) (left storage.Leftovers, err error) {
	for _, prefix := range []string{storage.TailPrefix(id), storage.FencedPrefix(id)} {
		for after := ""; ; after = left.Keys[len(left.Keys)-1] {
			page, err := s.List(ctx, bucket, prefix, after)
			if err != nil {
				return left, err
			}
			if len(page) == 0 {
				break
			}
			for _, o := range page {
				left.Keys = append(left.Keys, o.Key)
			}
		}
	}
	err = s.Multiparts(ctx, bucket, func(b storage.MultipartUpload) error {
		if owner, tail, err := storage.Owner(b.Key); err == nil && owner == id && !tail {
			left.Multiparts = append(left.Multiparts, b)
		}
		return nil
	})
	return left, err
}
