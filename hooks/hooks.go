// Package hooks decides at the beginning and at the end of an upload: PreCreate decides whether it may begin, under
// which name, and where it is stored; PostFinish makes it a file.
//
// # Errors
//
// file.ErrUnauthenticated, file.ErrTooLarge, file.ErrInvalid, file.ErrForbidden, file.ErrInfected and
// file.ErrUnscannable refuse an upload, with a reason for the client; file.ErrUnavailable says that SQL,
// PRE_CREATE_URL or the scanner did not answer.
package hooks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/access"
	"holdfast/auth"
	"holdfast/file"
	"holdfast/storage"
	"holdfast/upload"
)

// Store is what the hooks use of the database.
type Store interface {
	CreateUpload(ctx context.Context, u file.Upload, holder string, lease time.Duration) error
	CreateKeyedUpload(ctx context.Context, u file.Upload, holder string, lease time.Duration, key string,
		keep time.Duration) error
	Record(ctx context.Context, f file.Fence, u *file.Upload, r file.Record) error
	Emit(ctx context.Context, kind file.EventKind, s file.Subject) error
}

// Settings of the hooks.
type Settings struct {
	Layout  storage.Layout
	MaxSize int64         // of a file, in bytes
	TTL     time.Duration // how long an unfinished upload is kept after its last byte
	Now     func() time.Time
	Moment  time.Duration // how old a request's identity may be: see auth.Again

	// Room refuses an upload while there is no space for its bytes: 0 if their number is not known, or if they are there
	// already. nil: there always is space.
	Room func(bytes int64) error
	// Ask asks PRE_CREATE_URL whether an upload may begin, and under which name and type (empty: the client's); nil:
	// it is not asked.
	Ask func(ctx context.Context, who file.Identity, c upload.Creation) (name, contentType string, err error)
	// Scan scans a complete object before it becomes a file: file.ErrInfected if it must not become one,
	// file.ErrUnscannable if it could not be scanned completely; nil: nothing is scanned.
	Scan func(ctx context.Context, u *file.Upload) error
}

// Hooks implements upload.Hooks with these settings.
type Hooks struct {
	store   Store
	metrics metrics
	Settings
}

// New returns Hooks that write to store.
func New(store Store, s Settings) *Hooks { return &Hooks{store, newMetrics(), s} }

// PreCreate checks whether ctx's identity may begin an upload, and writes its row.
func (h *Hooks) PreCreate(ctx context.Context, c upload.Creation) (file.Upload, error) {
	who, _ := auth.FromContext(ctx)
	if err := cmp.Or(access.Create(who), h.Confirm(ctx, false)); err != nil {
		return file.Upload{}, err
	}
	size, longest := c.Size, c.Size
	if c.Deferred {
		size, longest = 0, h.Settings.MaxSize
	}
	if err := h.Fits(size); err != nil {
		return file.Upload{}, err
	}
	if err := h.hasRoom(c); err != nil {
		return file.Upload{}, err
	}
	if h.Ask != nil { // for partial uploads, too: their bytes are kept until they expire
		name, contentType, err := h.Ask(ctx, who, c)
		if err != nil {
			return file.Upload{}, err
		}
		c.Name, c.Type = cmp.Or(name, c.Name), cmp.Or(contentType, c.Type)
	}
	id := file.NewID()
	u := file.Upload{
		ID: id, Creator: who, Location: h.Layout.Object(who.AccountID, id),
		Name: file.CleanName(c.Name), Type: file.CleanTextType(c.Type), Metadata: c.Metadata, Claim: c.Claim,
		Size: size, Deferred: c.Deferred, PartSize: upload.PartSize(longest), Partial: c.Partial, Sources: c.Sources,
		Direct: c.Direct, State: file.Open, TTL: h.TTL, Expires: h.Now().Add(h.TTL),
	}
	if c.Once {
		u.TTL, u.Expires = 0, h.Now()
	}
	if c.Holder != "" {
		u.Epoch, u.Held = 1, true
	}
	var err error
	if c.Key != "" {
		err = h.store.CreateKeyedUpload(ctx, u, c.Holder, c.Lease, c.Key, KeyTTL)
	} else {
		err = h.store.CreateUpload(ctx, u, c.Holder, c.Lease)
	}
	if err != nil {
		return file.Upload{}, err
	}
	if !u.Partial {
		h.metrics.created.Inc()
	}
	return u, nil
}

// Confirm refuses what the request that ctx belongs to is about to change, if its tokens are not good any more. One
// that completes an upload is identified anew in any case, others only if they have run for longer than a moment.
func (h *Hooks) Confirm(ctx context.Context, completes bool) error {
	moment := h.Moment
	if completes {
		moment = 0
	}
	return auth.Again(ctx, moment)
}

// KeyTTL is how long an idempotency key stays assigned to an upload.
const KeyTTL = 24 * time.Hour

// Fits refuses a size over the cap. Every declared length is checked here, and every upload that grows without one.
func (h *Hooks) Fits(size int64) error {
	if size > h.Settings.MaxSize {
		return file.Refuse(file.ErrTooLarge, "File size %d bytes exceeds limit %d bytes", size, h.Settings.MaxSize)
	}
	return nil
}

// hasRoom refuses an upload for which there is no space.
func (h *Hooks) hasRoom(c upload.Creation) error {
	switch {
	case h.Room == nil:
		return nil
	case c.Deferred, len(c.Sources) > 0:
		return h.Room(0)
	}
	return h.Room(c.Size)
}

// MaxSize is the cap, in bytes.
func (h *Hooks) MaxSize() int64 { return h.Settings.MaxSize }

// PostFinish writes the record of an upload whose object is complete, if its row still matches fence. After a
// failure it can be called again: it scans again, and the record is written once.
func (h *Hooks) PostFinish(ctx context.Context, fence file.Fence, u *file.Upload) error {
	sum, err := upload.Sum(u)
	if err != nil {
		return fmt.Errorf("finish upload %s: %w", u.ID, err)
	}
	if h.Scan != nil {
		if err := h.scan(ctx, u); err != nil {
			return fmt.Errorf("scan upload %s: %w", u.ID, err)
		}
	}
	err = h.store.Record(ctx, fence, u, file.Record{
		ID: u.ID, Name: u.Name, Type: u.Type, Size: u.Size, UserID: u.Creator.UserID, AccountID: u.Creator.AccountID,
		Uploader:  u.Creator.Fingerprint,
		CreatedAt: h.Now().UTC().Truncate(time.Microsecond), // PostgreSQL's precision
		Location:  u.Location, ETag: u.ETag, SHA256: sum,
	})
	if err == nil {
		h.metrics.finished.Inc()
	}
	return err
}

// scan scans the object of an upload, and stores an event if it must not become a file.
func (h *Hooks) scan(ctx context.Context, u *file.Upload) error {
	err := h.Scan(ctx, u)
	kind := file.EventInfected
	switch {
	case errors.Is(err, file.ErrUnscannable):
		kind = file.EventUnscannable
	case !errors.Is(err, file.ErrInfected):
		return err
	}
	return errors.Join(err, h.store.Emit(ctx, kind, file.Subject{ID: u.ID, AccountID: u.Creator.AccountID,
		UserID: u.Creator.UserID,
		Name:   u.Name, Type: u.Type, Size: u.Size, Reason: err.Error()}))
}
