package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"holdfast/file"
	"holdfast/storage"
)

// mixing remembers that a store takes parts of different sizes in one upload.
type mixing struct {
	mu    sync.Mutex
	known bool
}

func newMixing(q Quirks) *mixing { return &mixing{known: !q.AskPartSizes} }

// mixesParts reports whether the store makes an object of parts whose sizes differ, the last one the largest, by an
// upload of its own to a new key of the bucket. Cloudflare R2 refuses that, and only when the upload is completed: too
// late to cut it anew. A store that refuses is noted as one that does not copy parts. Without an answer, and while
// another call asks, the result is false: not copying is always right.
func (c *Client) mixesParts(ctx context.Context, bucket string) bool {
	if !c.mixing.mu.TryLock() {
		return false
	}
	defer c.mixing.mu.Unlock()
	if c.mixing.known {
		return true
	}
	err := c.mixParts(ctx, file.Location{Bucket: bucket, Key: storage.ObjectKey(file.NewID())})
	c.mixing.known = err == nil
	if errors.Is(err, errMixed) {
		c.noPartCopy.note()
	}
	return c.mixing.known
}

// errMixed is the error for an upload that was refused for the sizes of its parts.
var errMixed = errors.New("the store refused parts of different sizes")

// mixParts makes an object of two parts, the second longer than the first, and removes it.
func (c *Client) mixParts(ctx context.Context, at file.Location) error {
	m, err := c.BeginMultipart(ctx, at, "application/octet-stream", true)
	if err != nil {
		return err
	}
	err = c.sendMixed(ctx, at, m)
	ctx = context.WithoutCancel(ctx)
	if err != nil {
		return errors.Join(err, c.Abort(ctx, at, m.ID))
	}
	return c.Delete(ctx, at)
}

func (c *Client) sendMixed(ctx context.Context, at file.Location, m file.Multipart) error {
	parts := make([]file.Part, 2)
	for i := range parts {
		size := int64(storage.MinCopy + i)
		part, err := c.PutPart(ctx, at, m, int32(i+1), io.NewSectionReader(zeros{}, 0, size), size)
		if err != nil {
			return err
		}
		parts[i] = part
	}
	err := c.Complete(ctx, at, m, parts)
	switch status(err) {
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusNotImplemented:
		return fmt.Errorf("%w: %w", errMixed, err)
	}
	return err
}

// zeros is a file without end.
type zeros struct{}

func (zeros) ReadAt(b []byte, _ int64) (int, error) {
	clear(b)
	return len(b), nil
}
