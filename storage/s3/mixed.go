package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// mixing remembers that a store takes parts of different sizes in one upload.
type mixing struct {
	known   atomic.Bool
	asking  sync.Mutex
	unclear refusal // the store was asked, and what it answered says nothing
}

// unclearTTL is how long a store is not asked again that has not answered.
const unclearTTL = 5 * time.Minute

func newMixing(q Quirks) *mixing {
	m := &mixing{}
	m.known.Store(!q.AskPartSizes)
	return m
}

// mixesParts reports whether the store makes an object of parts whose sizes differ, the last one the largest, by an
// upload of its own, a probe in the bucket. Cloudflare R2 refuses that, and only when the upload is completed: too
// late to cut it anew. A store that refuses is noted as one that does not copy parts. Without an answer, and while
// another call asks, the result is false: not copying is always right.
func (c *Client) mixesParts(ctx context.Context, bucket string) bool {
	m := c.mixing
	if m.known.Load() {
		return true
	}
	if m.unclear.stands() || !m.asking.TryLock() {
		return false
	}
	defer m.asking.Unlock()
	err := c.mixParts(ctx, storage.NewProbe(bucket))
	switch {
	case err == nil:
		m.known.Store(true)
	case errors.Is(err, errMixed):
		c.noPartCopy.note(refusalTTL)
	case ctx.Err() == nil:
		m.unclear.note(unclearTTL)
	}
	return m.known.Load()
}

// errMixed is the error for an upload that was refused for the sizes of its parts.
var errMixed = errors.New("the store refused parts of different sizes")

// mixParts makes an object of two parts, the second longer than the first, and removes it. That it was made is the
// answer, whether it can be removed or not. If the answer to the completion was lost it may be there all the same.
func (c *Client) mixParts(ctx context.Context, at file.Location) error {
	m, err := c.BeginMultipart(ctx, at, "application/octet-stream", true)
	if err != nil {
		return err
	}
	err = c.sendMixed(ctx, at, m)
	ctx = context.WithoutCancel(ctx)
	removed := c.Delete(ctx, at)
	if err != nil {
		return errors.Join(err, removed, c.Abort(ctx, at, m.ID))
	}
	return nil
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
