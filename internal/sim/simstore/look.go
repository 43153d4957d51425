package simstore

import (
	"maps"
	"slices"

	"holdfast/file"
	"holdfast/storage"
)

// Object returns the bytes and the ETag of an object, without faults; false if there is none. The bytes must not be
// changed.
func (s *Store) Object(at file.Location) (data []byte, etag string, there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.buckets[at.Bucket][at.Key]
	if o == nil {
		return nil, "", false
	}
	return o.data, o.etag, true
}

// Part returns the bytes and the ETag of a part of an unfinished multipart upload.
func (s *Store) Part(id string, number int32) (data []byte, etag string, there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.begun[id]; m != nil && m.parts[number] != nil {
		return m.parts[number].data, m.parts[number].etag, true
	}
	return nil, "", false
}

// All returns everything in the store, sorted.
func (s *Store) All() (objects []file.Location, multiparts []storage.MultipartUpload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, bucket := range slices.Sorted(maps.Keys(s.buckets)) {
		for _, key := range s.keys(bucket, "") {
			objects = append(objects, file.Location{Bucket: bucket, Key: key})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.begun)) {
		m := s.begun[id]
		multiparts = append(multiparts, storage.MultipartUpload{Key: m.at.Key, ID: id, Since: m.since})
	}
	return objects, multiparts
}
