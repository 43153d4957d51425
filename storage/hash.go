package storage

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"holdfast/file"
)

// Opener is what Hash needs of a Store.
type Opener interface {
	Open(ctx context.Context, at file.Location, etag string, offset, length int64) (io.ReadCloser, error)
}

// CRC32 reads an object of size bytes and returns its CRC32, in base64.
func CRC32(ctx context.Context, from Opener, at file.Location, size int64) (string, error) {
	h := crc32.NewIEEE()
	err := readInto(ctx, h, from, at, "", size)
	return CRC32Text(h.Sum32()), err
}

// CRC32Text is a CRC32 as rows and S3's headers have it, in base64.
func CRC32Text(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// Hash reads an object of size bytes and returns its SHA-256. If etag is not empty the object must have it.
func Hash(ctx context.Context, from Opener, at file.Location, etag string, size int64) ([]byte, error) {
	h := sha256.New()
	if err := readInto(ctx, h, from, at, etag, size); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

func readInto(ctx context.Context, h io.Writer, from Opener, at file.Location, etag string, size int64) error {
	body, err := from.Open(ctx, at, etag, 0, size)
	if err != nil {
		return err
	}
	defer body.Close()
	n, err := io.Copy(h, body)
	if err == nil && n != size {
		err = fmt.Errorf("%w: %d of %d bytes came", file.ErrStorageRead, n, size)
	}
	return err
}
