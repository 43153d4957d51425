package upload

import (
	"context"
	"time"

	"holdfast/file"
)

// Creation is what a client says of the file it wants to send.
type Creation struct {
	Size     int64  // bytes
	Deferred bool   // the size is not known yet
	Metadata string // the Upload-Metadata header as it came
	Name     string
	Type     string
	Claim    []byte // the SHA-256 of the file, if the client says it

	Partial bool      // to be put together with others (tus 1.0.0, Concatenation)
	Sources []file.ID // of which it is put together

	// Once says that all of the file comes with this request: no other can go on with what is
	// left of it, so that it expires as soon as the request has ended.
	Once bool
	// Key, if any, is an Idempotency-Key: for hooks.KeyTTL a creation with the same key is the same upload.
	Key string

	// Holder, if any, gets the upload's lease for the time of Lease at once. The engine sets them.
	Holder string
	Lease  time.Duration
}

// Begin writes the row of an upload to which other requests send the bytes. The errors
// are those of the PreCreate hook.
func (e *Engine) Begin(ctx context.Context, c Creation) (*file.Upload, error) {
	u, err := e.hooks.PreCreate(ctx, c)
	if err != nil {
		return nil, err
	}
	return &u, nil
}

// Create is Begin for a request that goes on with the upload: it is born under that
// request's lease. letGo asks the holder to end; see Take.
func (e *Engine) Create(ctx context.Context, c Creation, letGo func()) (*Session, error) {
	c.Holder, c.Lease = e.leases.holder, e.leases.ttl
	since := time.Now()
	u, err := e.Begin(ctx, c)
	if err != nil {
		return nil, err
	}
	l := e.leases.hold(ctx, &lease{id: u.ID, epoch: u.Epoch, since: since, letGo: letGo, whole: c.Once})
	return &Session{engine: e, lease: l, u: u}, nil
}
