// Package hooks is the life of an upload at its two ends: PreCreate says whether it
// may begin, under which name, and where it goes; PostFinish makes it a file.
//
// # Errors
//
// file.ErrUnauthenticated, file.ErrTooLarge and file.ErrInvalid refuse an upload, with
// a reason for the client; file.ErrUnavailable says that SQL did not answer.
package hooks

import (
	"context"
	"crypto/sha256"
	"encoding"
	"fmt"
	"time"

	"holdfast/access"
	"holdfast/auth"
	"holdfast/file"
	"holdfast/storage"
)

// Store is what the hooks need of SQL.
type Store interface {
	CreateUpload(ctx context.Context, u file.Upload) error
	Record(ctx context.Context, f file.Fence, r file.Record) error
}

// Hooks decide with these settings.
type Hooks struct {
	store  Store
	layout storage.Layout
	// MaxSize is the longest file that is taken in, in bytes.
	maxSize int64
	now     func() time.Time
}

// New returns hooks that take files of up to maxSize bytes.
func New(store Store, layout storage.Layout, maxSize int64, now func() time.Time) *Hooks {
	return &Hooks{store: store, layout: layout, maxSize: maxSize, now: now}
}

// Creation is what a client says of the file it wants to send.
type Creation struct {
	Size     int64 // bytes
	Deferred bool  // the size is not known yet
	Metadata string
	Name     string
	Type     string
}

// PreCreate checks an upload that ctx's identity wants to begin, and writes its row.
func (h *Hooks) PreCreate(ctx context.Context, c Creation) (file.Upload, error) {
	who, _ := auth.FromContext(ctx)
	if err := access.Create(who); err != nil {
		return file.Upload{}, err
	}
	size := c.Size
	if c.Deferred {
		size = 0
	}
	if err := h.Fits(size); err != nil {
		return file.Upload{}, err
	}
	id := file.NewID()
	u := file.Upload{
		ID: id, Creator: who, Location: h.layout.Object(who.AccountID, id),
		Name: file.CleanName(c.Name), Type: file.CleanType(c.Type), Metadata: c.Metadata,
		Size: size, Deferred: c.Deferred, PartSize: h.partSize(c),
		State: file.Open,
	}
	if err := h.store.CreateUpload(ctx, u); err != nil {
		return file.Upload{}, err
	}
	return u, nil
}

// Fits refuses a size over the cap. Every length that anybody declares, and every
// byte beyond one, is checked here.
func (h *Hooks) Fits(size int64) error {
	if size > h.maxSize {
		return file.Refuse(file.ErrTooLarge, "File size %d bytes exceeds limit %d bytes", size, h.maxSize)
	}
	return nil
}

// MaxSize is the cap, in bytes.
func (h *Hooks) MaxSize() int64 { return h.maxSize }

const (
	mebibyte    = 1 << 20
	minPartSize = 8 * mebibyte
	// maxPlannedParts leaves numbers for parts that fail: a number is used once only.
	maxPlannedParts = 9000
)

// partSize is the size of all parts but the last, in bytes: whole mebibytes, so that
// the longest this upload may become needs no more than maxPlannedParts of them.
func (h *Hooks) partSize(c Creation) int64 {
	longest := c.Size
	if c.Deferred {
		longest = h.maxSize
	}
	size := (longest + maxPlannedParts - 1) / maxPlannedParts
	size = (size + mebibyte - 1) / mebibyte * mebibyte
	return max(size, minPartSize)
}

// PostFinish writes the record of an upload whose object is complete. It may be called
// again after a failure; what was done stays.
func (h *Hooks) PostFinish(ctx context.Context, u *file.Upload) error {
	sum, err := digest(u.HashState)
	if err != nil {
		return fmt.Errorf("finish upload %s: %w", u.ID, err)
	}
	return h.store.Record(ctx, u.Fence(), file.Record{
		ID: u.ID, Name: u.Name, Type: u.Type, Size: u.Size, UserID: u.Creator.UserID, AccountID: u.Creator.AccountID,
		CreatedAt: h.now().UTC().Truncate(time.Microsecond), // as precise as PostgreSQL keeps it
		Location:  u.Location, ETag: u.ETag, SHA256: sum,
	})
}

// digest is the SHA-256 that a saved state has come to.
func digest(state []byte) ([]byte, error) {
	h := sha256.New()
	if state != nil {
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
			return nil, fmt.Errorf("saved SHA-256 state: %w", err)
		}
	}
	return h.Sum(nil), nil
}
