package storage

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"holdfast/file"
)

// Opener is what Hash needs of a Store.
type Opener interface {
	Open(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error)
}

// Hash reads an object of size bytes and returns its SHA-256. If etag is not empty the object must have it.
func Hash(ctx context.Context, from Opener, at file.Location, etag string, size int64) ([]byte, error) {
	body, err := from.Open(ctx, at, etag, 0, size)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	h := sha256.New()
	if n, err := io.Copy(h, body); err != nil {
		return nil, err
	} else if n != size {
		return nil, fmt.Errorf("%w: %d of %d bytes came", file.ErrStorageRead, n, size)
	}
	return h.Sum(nil), nil
}
