package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"holdfast/file"
	"holdfast/storage"
)

// checkedAtOnce is how many parts Complete reads at the same time.
const checkedAtOnce = 4

// CheckPart implements storage.PartChecker.
func (s *Store) CheckPart(ctx context.Context, at file.Location, m file.Multipart, p file.Part) error {
	return s.call(ctx, "CheckPart", "check part", file.ErrStorageRead, func(ctx context.Context) error {
		if _, err := s.begun(at, m.ID); err != nil {
			return err
		}
		return s.checkPart(ctx, at.Bucket, m.ID, p)
	})
}

// checkPart reads a part and compares it with its name, which has its size and sums, and with its CRC32 if that is
// known. The error is storage.ErrDamaged if it is another one.
func (s *Store) checkPart(ctx context.Context, bucket, id string, p file.Part) error {
	name := nameOf(p)
	if name != filepath.Base(name) {
		return fmt.Errorf("%w: part %d: no part has the tag %q", storage.ErrDamaged, p.Number, p.ETag)
	}
	h := newSums()
	err := s.sumFile(ctx, h, filepath.Join(s.parts(bucket, id), name), p.Size)
	switch {
	case isMissing(err) || errors.Is(err, errDamaged):
		return fmt.Errorf("%w: part %d: %s", storage.ErrDamaged, p.Number, err.Error())
	case err != nil:
		return fmt.Errorf("part %d: %w", p.Number, err)
	case crcOf(bare(p.ETag)) != "" && h.etag() != bare(p.ETag):
		return fmt.Errorf("%w: part %d has the sums %s, not %s", storage.ErrDamaged, p.Number, h.etag(), bare(p.ETag))
	case p.CRC32 != "" && crcOf(h.etag()) != p.CRC32:
		return fmt.Errorf("%w: part %d has the CRC32 %s, not %s", storage.ErrDamaged, p.Number, crcOf(h.etag()), p.CRC32)
	}
	return nil
}

// checkUnlessFresh is checkPart for a part that is about to become one of an object.
func (s *Store) checkUnlessFresh(ctx context.Context, bucket, id string, p file.Part) error {
	path := filepath.Join(s.parts(bucket, id), nameOf(p))
	info, err := s.fs.Lstat(path)
	if err == nil && s.fresh.has(path, info) && (p.CRC32 == "" || p.CRC32 == crcOf(bare(p.ETag))) {
		return nil
	}
	return s.checkPart(ctx, bucket, id, p)
}

// sumFile adds a file of size bytes to sums; errDamaged if it has another size.
func (s *Store) sumFile(ctx context.Context, h *sums, path string, size int64) error {
	f, err := s.fs.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.CopyBuffer(onlyWriter{h}, contextReader{ctx, onlyReader{f}}, make([]byte, copyBuffer))
	if err == nil && n != size {
		err = fmt.Errorf("%w: it has %d bytes, and should have %d", errDamaged, n, size)
	}
	return err
}

type onlyReader struct{ io.Reader }

// Parts implements storage.Store. A part that was cut has the size that is left of it.
func (s *Store) Parts(
	ctx context.Context, at file.Location, m file.Multipart, after int32,
) (page []file.Part, err error) {
	err = s.call(ctx, "ListParts", "list parts", file.ErrStorageRead, func(context.Context) error {
		if _, err := s.begun(at, m.ID); err != nil {
			return err
		}
		dir := s.parts(at.Bucket, m.ID)
		names, err := s.fs.Names(dir)
		if err != nil {
			return err
		}
		for _, name := range names {
			if p, ok := partOf(name); ok && p.Number > after {
				page = append(page, p)
			}
		}
		slices.SortFunc(page, func(a, b file.Part) int { return int(a.Number) - int(b.Number) })
		page = page[:min(len(page), pageSize)]
		for i, p := range page {
			info, err := s.fs.Lstat(filepath.Join(dir, nameOf(p)))
			if err != nil {
				return err
			}
			page[i].Size = info.Size()
		}
		return nil
	})
	return page, err
}
