// Package hooks is the life of an upload at its two ends: PreCreate says whether it
// may begin, under which name, and where it goes; PostFinish makes it a file.
//
// # Errors
//
// file.ErrUnauthenticated, file.ErrTooLarge, file.ErrInvalid, file.ErrForbidden and
// file.ErrInfected and file.ErrUnscannable refuse an upload, with a reason for the client; file.ErrUnavailable says
// that SQL did not answer, or whoever is asked.
package hooks

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding"
	"errors"
	"fmt"
	"time"

	"holdfast/access"
	"holdfast/auth"
	"holdfast/file"
	"holdfast/storage"
)

// Store is what the hooks need of SQL.
type Store interface {
	CreateUpload(ctx context.Context, u file.Upload, holder string, lease time.Duration) error
	CreateKeyedUpload(ctx context.Context, u file.Upload, holder string, lease time.Duration, key string, keep time.Duration) error
	Record(ctx context.Context, f file.Fence, u *file.Upload, r file.Record) error
	Emit(ctx context.Context, kind file.EventKind, s file.Subject) error
}

// Settings of the hooks.
type Settings struct {
	Layout  storage.Layout
	MaxSize int64         // of a file, in bytes
	TTL     time.Duration // how long an unfinished upload is kept after its last byte
	Now     func() time.Time

	// Room refuses uploads while there is no room for them; nil: there always is.
	Room func() error
	// Ask asks somebody else whether an upload may begin, and under which name and type (empty:
	// as it wants to); nil: nobody is asked.
	Ask func(ctx context.Context, who file.Identity, c Creation) (name, contentType string, err error)
	// Scan looks into a complete object before it becomes a file: file.ErrInfected if it must
	// not, file.ErrUnscannable if not all of it could be looked at; nil: nothing is looked at.
	Scan func(ctx context.Context, u *file.Upload) error
}

// Hooks decide with these settings.
type Hooks struct {
	store   Store
	metrics metrics
	Settings
}

// New returns hooks that write to store.
func New(store Store, s Settings) *Hooks { return &Hooks{store, newMetrics(), s} }

// Creation is what a client says of the file it wants to send.
type Creation struct {
	Size     int64  // bytes
	Deferred bool   // the size is not known yet
	Metadata string // the Upload-Metadata header as it came
	Name     string
	Type     string
	Claim    []byte // the SHA-256 of the file, if the client says it

	Partial bool      // to be put together with others (tus 1.0.0, Concatenation)
	Sources []file.ID // of what it is put together

	// Once says that all of the file comes with this request: nobody can go on with what is
	// left of it, so that it runs out as soon as the request has ended.
	Once bool
	// Key, if any, stands for this upload for KeyTTL: whoever sends it again gets the same one.
	Key string

	// Holder, if any, gets the upload's lease for the time of Lease at once.
	Holder string
	Lease  time.Duration
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
	if h.Room != nil {
		if err := h.Room(); err != nil {
			return file.Upload{}, err
		}
	}
	if h.Ask != nil { // of partial uploads too: what they bring stays until they expire
		name, contentType, err := h.Ask(ctx, who, c)
		if err != nil {
			return file.Upload{}, err
		}
		c.Name, c.Type = cmp.Or(name, c.Name), cmp.Or(contentType, c.Type)
	}
	id := file.NewID()
	u := file.Upload{
		ID: id, Creator: who, Location: h.Layout.Object(who.AccountID, id),
		Name: file.CleanName(c.Name), Type: file.CleanType(c.Type), Metadata: c.Metadata, Claim: c.Claim,
		Size: size, Deferred: c.Deferred, PartSize: h.partSize(c), Partial: c.Partial, Sources: c.Sources,
		State: file.Open, TTL: h.TTL, Expires: h.Now().Add(h.TTL),
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

// KeyTTL is how long an idempotency key stands for an upload.
const KeyTTL = 24 * time.Hour

// Fits refuses a size over the cap. Every length that anybody declares, and every
// byte beyond one, is checked here.
func (h *Hooks) Fits(size int64) error {
	if size > h.Settings.MaxSize {
		return file.Refuse(file.ErrTooLarge, "File size %d bytes exceeds limit %d bytes", size, h.Settings.MaxSize)
	}
	return nil
}

// MaxSize is the cap, in bytes.
func (h *Hooks) MaxSize() int64 { return h.Settings.MaxSize }

const (
	mebibyte    = 1 << 20
	minPartSize = 8 * mebibyte
	// maxPlannedParts leaves numbers for parts that fail: a number is used once only.
	maxPlannedParts = 9000
)

func (h *Hooks) partSize(c Creation) int64 {
	if c.Deferred {
		return PartSize(h.Settings.MaxSize)
	}
	return PartSize(c.Size)
}

// PartSize is the size of all parts but the last, in bytes: whole mebibytes, so that a
// file of the given length needs no more than maxPlannedParts of them.
func PartSize(longest int64) int64 {
	size := (longest + maxPlannedParts - 1) / maxPlannedParts
	size = (size + mebibyte - 1) / mebibyte * mebibyte
	return max(size, minPartSize)
}

// ChunkedPartSize is the size of parts, in bytes, for a client that sends chunk bytes of an
// upload with each request: an even share of them, if there is one that the store takes,
// that is no longer than planned, and that gets by with maxPlannedParts for longest bytes.
// Then no bytes are left over when a request ends, which would be stored twice: as a tail,
// and again as the beginning of a part.
func ChunkedPartSize(planned, chunk, longest int64) int64 {
	const most = 64 // for more parts than that, a tail for each request matters little
	if chunk < storage.MinPart || chunk > most*planned {
		return planned
	}
	for n := (chunk + planned - 1) / planned; chunk/n >= storage.MinPart; n++ {
		if size := chunk / n; chunk%n == 0 && size*maxPlannedParts >= longest {
			return size
		}
	}
	return planned
}

// PostFinish writes the record of an upload whose object is complete, if its row is
// still as was says. It may be called again after a failure; what was done stays.
func (h *Hooks) PostFinish(ctx context.Context, was file.Fence, u *file.Upload) error {
	sum, err := Digest(u.HashState)
	if err != nil {
		return fmt.Errorf("finish upload %s: %w", u.ID, err)
	}
	if h.Scan != nil {
		if err := h.scan(ctx, u); err != nil {
			return fmt.Errorf("scan upload %s: %w", u.ID, err)
		}
	}
	err = h.store.Record(ctx, was, u, file.Record{
		ID: u.ID, Name: u.Name, Type: u.Type, Size: u.Size, UserID: u.Creator.UserID, AccountID: u.Creator.AccountID, Uploader: u.Creator.Fingerprint,
		CreatedAt: h.Now().UTC().Truncate(time.Microsecond), // as precise as PostgreSQL keeps it
		Location:  u.Location, ETag: u.ETag, SHA256: sum,
	})
	if err == nil {
		h.metrics.finished.Inc()
	}
	return err
}

// scan looks into the object of an upload, and has it told if it must not become a file.
func (h *Hooks) scan(ctx context.Context, u *file.Upload) error {
	err := h.Scan(ctx, u)
	kind := file.EventInfected
	switch {
	case errors.Is(err, file.ErrUnscannable):
		kind = file.EventUnscannable
	case !errors.Is(err, file.ErrInfected):
		return err
	}
	return errors.Join(err, h.store.Emit(ctx, kind, file.Subject{ID: u.ID, AccountID: u.Creator.AccountID, UserID: u.Creator.UserID,
		Name: u.Name, Type: u.Type, Size: u.Size, Reason: err.Error()}))
}

// Digest is the SHA-256 that a saved state has come to.
func Digest(state []byte) ([]byte, error) {
	h := sha256.New()
	if state != nil {
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
			return nil, fmt.Errorf("saved SHA-256 state: %w", err)
		}
	}
	return h.Sum(nil), nil
}
