package simstore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"holdfast/file"
	"holdfast/storage"
)

// pageSize is the largest page of a listing.
const pageSize = 1000

// List implements storage.Store.
func (s *Store) List(ctx context.Context, bucket, prefix, after string) ([]storage.ListedObject, error) {
	c := Call{Op: "List", At: file.Location{Bucket: bucket, Key: prefix}}
	fate := s.fates(ctx, c)
	fate.Late = 0
	page, err := run(ctx, s, c, fate, file.ErrStorageRead, func() ([]storage.ListedObject, error) {
		var all []storage.ListedObject
		for _, key := range s.keys(bucket, prefix) {
			if o := s.buckets[bucket][key]; key > after && len(all) < pageSize {
				all = append(all, storage.ListedObject{Key: key, Size: int64(len(o.data)), ETag: o.etag, Modified: o.modified})
			}
		}
		return all, nil
	})
	if fate.Short && len(page) > 1 { // S3 may return fewer keys than requested, but at least one
		page = page[:(len(page)+1)/2]
	}
	return page, err
}

// keys lists the keys of a bucket in the order of their bytes. The caller holds the lock.
func (s *Store) keys(bucket, prefix string) (keys []string) {
	for key := range s.buckets[bucket] {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// multiparts lists the multipart uploads of a bucket, in the order of their keys. The caller holds the lock.
func (s *Store) multiparts(bucket string) (all []storage.MultipartUpload) {
	for id, m := range s.begun {
		if m.at.Bucket == bucket {
			all = append(all, storage.MultipartUpload{Key: m.at.Key, ID: id, Since: m.since})
		}
	}
	slices.SortFunc(all, func(a, b storage.MultipartUpload) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.ID, b.ID))
	})
	return all
}

// Multiparts implements storage.Store.
func (s *Store) Multiparts(ctx context.Context, bucket string, each func(storage.MultipartUpload) error) error {
	all, err := read(ctx, s, Call{Op: "Multiparts", At: file.Location{Bucket: bucket}},
		func() ([]storage.MultipartUpload, error) { return s.multiparts(bucket), nil })
	for _, b := range all {
		if err == nil {
			err = each(b)
		}
	}
	return err
}

// Buckets implements storage.Store.
func (s *Store) Buckets(ctx context.Context, prefix string) ([]string, error) {
	return read(ctx, s, Call{Op: "Buckets"}, func() (names []string, err error) {
		for _, name := range slices.Sorted(maps.Keys(s.buckets)) {
			if strings.HasPrefix(name, prefix) {
				names = append(names, name)
			}
		}
		return names, nil
	})
}

// Leftovers implements storage.Store.
func (s *Store) Leftovers(ctx context.Context, bucket string, id file.ID) (storage.Leftovers, error) {
	c := Call{Op: "Leftovers", At: file.Location{Bucket: bucket, Key: string(id)}}
	return read(ctx, s, c, func() (left storage.Leftovers, err error) {
		left.Keys = append(s.keys(bucket, storage.TailPrefix(id)), s.keys(bucket, storage.FencedPrefix(id))...)
		for _, m := range s.multiparts(bucket) {
			if owner, tail, err := storage.Owner(m.Key); err == nil && owner == id && !tail {
				left.Multiparts = append(left.Multiparts, m)
			}
		}
		return left, nil
	})
}

// Ping implements storage.Store.
func (s *Store) Ping(ctx context.Context, bucket string) error {
	_, err := read(ctx, s, Call{Op: "Ping", At: file.Location{Bucket: bucket}},
		func() (struct{}, error) { return struct{}{}, nil })
	return err
}
