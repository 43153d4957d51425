package upload

import (
	"context"
	"time"

	"holdfast/file"
)

// Creation is what a client declares about a new file.
type Creation struct {
	Size     int64  // bytes
	Deferred bool   // the size is not known yet
	Metadata string // the metadata as the client encoded it, which it gets back unchanged
	Name     string
	Type     string
	Claim    []byte // the SHA-256 of the file, if the client declares it

	// Direct says that the client sends the parts to the store itself, and Sums that each comes with its CRC32.
	Direct, Sums bool

	Partial bool      // will be concatenated with others (tus 1.0.0, Concatenation)
	Sources []file.ID // of a final upload

	// Once says that the whole file comes with this request. No other request can continue it, so it expires as soon
	// as this one has ended.
	Once bool
	// Key, if set, is an Idempotency-Key: for hooks.KeyTTL a creation with the same key returns the same upload.
	Key string

	// Holder, if set, gets the upload's lease for the duration of Lease. The engine sets both.
	Holder string
	Lease  time.Duration
}

// Begin writes the row of an upload to which other requests will send the bytes. The errors are those of the PreCreate
// hook.
func (e *Engine) Begin(ctx context.Context, c Creation) (*file.Upload, error) {
	u, err := e.hooks.PreCreate(ctx, c)
	if err != nil {
		return nil, err
	}
	return &u, nil
}

// Create is Begin for a request that also sends bytes: the row is written together with the request's lease.
// requestRelease is called when another request wants the lease; see Take.
func (e *Engine) Create(ctx context.Context, c Creation, requestRelease func()) (*Session, error) {
	c.Holder, c.Lease = e.leases.holder, e.leases.ttl
	since := time.Now()
	u, err := e.Begin(ctx, c)
	if err != nil {
		return nil, err
	}
	l := e.leases.hold(ctx, &lease{id: u.ID, epoch: u.Epoch, since: since, requestRelease: requestRelease, once: c.Once})
	return &Session{engine: e, lease: l, u: u}, nil
}
