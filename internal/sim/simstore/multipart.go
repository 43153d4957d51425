package simstore

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// multipart is an unfinished multipart upload.
type multipart struct {
	at    file.Location
	kind  string
	since time.Time
	parts map[int32]*object
}

// BeginMultipart implements storage.Store.
func (s *Store) BeginMultipart(ctx context.Context, at file.Location, contentType string,
	withoutSums bool) (file.Multipart, error) {
	return write(ctx, s, Call{Op: "BeginMultipart", At: at}, func() (file.Multipart, error) {
		s.ids++
		id := fmt.Sprint("multipart-", s.ids)
		s.begun[id] = &multipart{at: at, kind: contentType, since: time.Now(), parts: map[int32]*object{}}
		return file.Multipart{ID: id, Sums: !withoutSums}, nil
	})
}

// get returns an unfinished multipart upload. The caller holds the lock.
func (s *Store) get(at file.Location, id string) (*multipart, error) {
	m := s.begun[id]
	if m == nil || m.at != at {
		return nil, storage.ErrNoUpload
	}
	return m, nil
}

// PutPart implements storage.Store.
func (s *Store) PutPart(ctx context.Context, at file.Location, m file.Multipart, number int32, body io.ReadSeeker,
	size int64) (file.Part, error) {
	b, err := receive(body, size)
	if err != nil {
		return file.Part{}, err
	}
	return write(ctx, s, Call{Op: "PutPart", At: at, Number: number}, func() (file.Part, error) {
		return s.setPart(at, m.ID, number, b)
	})
}

// CopyPart implements storage.Copier.
func (s *Store) CopyPart(ctx context.Context, from file.Location, fromETag string, offset, length int64,
	to file.Location, m file.Multipart, number int32) (file.Part, error) {
	return write(ctx, s, Call{Op: "CopyPart", At: to, Number: number}, func() (file.Part, error) {
		o, err := s.source(from, fromETag)
		if err != nil {
			return file.Part{}, err
		}
		if size := int64(len(o.data)); offset > size || length > size-offset {
			return file.Part{}, fmt.Errorf("%w: the source has %d bytes", file.ErrStorageWrite, size)
		}
		return s.setPart(to, m.ID, number, o.data[offset:offset+length])
	})
}

func (s *Store) setPart(at file.Location, id string, number int32, b []byte) (file.Part, error) {
	m, err := s.get(at, id)
	if err != nil {
		return file.Part{}, err
	}
	o := newObject(b, "")
	m.parts[number] = o
	return file.Part{Number: number, Size: int64(len(b)), ETag: o.etag, CRC32: crc(b)}, nil
}

// crc is the CRC32 of a part as S3 gives it.
func crc(b []byte) string { return storage.CRC32Text(crc32.ChecksumIEEE(b)) }

// Parts implements storage.Store.
func (s *Store) Parts(ctx context.Context, at file.Location, m file.Multipart, after int32) ([]file.Part, error) {
	return read(ctx, s, Call{Op: "Parts", At: at}, func() (page []file.Part, err error) {
		begun, err := s.get(at, m.ID)
		if err != nil {
			return nil, err
		}
		for _, n := range slices.Sorted(maps.Keys(begun.parts)) {
			if o := begun.parts[n]; n > after && len(page) < pageSize {
				page = append(page, file.Part{Number: n, Size: int64(len(o.data)), ETag: o.etag, CRC32: crc(o.data)})
			}
		}
		return page, nil
	})
}

// Complete implements storage.Store.
func (s *Store) Complete(ctx context.Context, at file.Location, m file.Multipart, parts []file.Part) error {
	_, err := write(ctx, s, Call{Op: "Complete", At: at}, func() (struct{}, error) {
		return struct{}{}, s.complete(at, m.ID, parts)
	})
	return err
}

func (s *Store) complete(at file.Location, id string, parts []file.Part) error {
	m, err := s.get(at, id)
	if err != nil {
		return err
	}
	if len(parts) == 0 {
		return fmt.Errorf("%w: no parts", file.ErrStorageWrite)
	}
	var whole []byte
	for i, p := range parts {
		o := m.parts[p.Number]
		switch last := i == len(parts)-1; {
		case o == nil || o.etag != p.ETag || p.CRC32 != "" && p.CRC32 != crc(o.data):
			return fmt.Errorf("%w: part %d", storage.ErrPartChanged, p.Number)
		case i > 0 && p.Number <= parts[i-1].Number:
			return fmt.Errorf("%w: part %d is not in its order", file.ErrStorageWrite, p.Number)
		case !last && int64(len(o.data)) < s.MinPart:
			return fmt.Errorf("%w: part %d is too small", file.ErrStorageWrite, p.Number)
		}
		whole = append(whole, o.data...)
	}
	o := newObject(whole, m.kind)
	o.etag = fmt.Sprintf(`"%08x-%d"`, sum(whole), len(parts))
	s.set(at, o)
	delete(s.begun, id)
	return nil
}

// Abort implements storage.Store.
func (s *Store) Abort(ctx context.Context, at file.Location, uploadID string) error {
	_, err := write(ctx, s, Call{Op: "Abort", At: at}, func() (struct{}, error) {
		if _, err := s.get(at, uploadID); err == nil {
			delete(s.begun, uploadID)
		}
		return struct{}{}, nil
	})
	return err
}
