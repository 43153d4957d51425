// Package limit limits the rate of new uploads, of downloads, of new links, of denied reads and of
// wrong tokens. Authenticated callers are counted by identity, anonymous ones by address, and visitors
// of a public form by both, since they share one token.
//
// # Errors
//
// file.ErrTooMany, as a file.Later that says when to retry. There are no others: if Redis does
// not answer, each replica counts for itself.
package limit

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"holdfast/file"
)

// Rate allows Count events in a Window (0: any number). After a burst of Count events it allows one more per
// Window/Count.
type Rate struct {
	Count  int
	Window time.Duration
}

// Counter counts events under keys.
type Counter interface {
	// Take counts an event if the rate allows it. Else it returns the time until it does.
	Take(ctx context.Context, key string, r Rate) (wait time.Duration)
	// Refund takes back an event that Take counted.
	Refund(ctx context.Context, key string, r Rate)
	// Mark makes Marked true for ttl; with 0 it removes the mark.
	Mark(ctx context.Context, key string, ttl time.Duration)
	Marked(ctx context.Context, key string) bool
	// Credit sets the credit of a key, in bytes, which expires after ttl. It replaces the previous credit.
	Credit(ctx context.Context, key string, bytes int64, ttl time.Duration)
	// Spend takes bytes from a credit, or returns them if the number is negative. It returns
	// false, and changes nothing, if the credit has expired or is too small.
	Spend(ctx context.Context, key string, bytes int64) bool
}

// Settings of the limits.
type Settings struct {
	Uploads, Downloads Rate
	Failures           Rate // different wrong tokens, by address
	Proxies            Proxies
}

// Limits are the limits of the service. A nil *Limits allows everything.
type Limits struct {
	counter Counter
	// good has the fingerprints of tokens that were good at this replica lately. They are not
	// counted, so Redis is only asked about tokens that are new to this replica.
	good *Memory
	// denials are counted by each replica for itself, so that allowed reads need no request to
	// Redis.
	denials *Memory
	refused refusals
	Settings
}

// New returns limits that count with c.
func New(c Counter, s Settings) *Limits { return &Limits{c, NewMemory(), NewMemory(), newRefused(), s} }

// Upload counts an upload that the caller, who, wants to begin.
func (l *Limits) Upload(r *http.Request, who file.Identity) error {
	if l == nil {
		return nil
	}
	return l.refuse("upload", l.counter.Take(r.Context(), "upload:"+l.name(r, who), l.Uploads))
}

// PartsPerUpload is how many partial uploads may be begun for each file (tus 1.0.0, Concatenation): a client
// divides a file into a few and sends them side by side.
const PartsPerUpload = 16

// Part counts a partial upload that the caller, who, wants to begin. It has a limit of its own: only the final
// upload counts as an upload.
func (l *Limits) Part(r *http.Request, who file.Identity) error {
	if l == nil {
		return nil
	}
	rate := Rate{Count: PartsPerUpload * l.Uploads.Count, Window: l.Uploads.Window}
	return l.refuse("upload", l.counter.Take(r.Context(), "part:"+l.name(r, who), rate))
}

// name is the key that a request is counted under.
func (l *Limits) name(r *http.Request, who file.Identity) string {
	if visitor := l.Proxies.Visitor(r, who); visitor != "" {
		return visitor
	}
	return cmp.Or(who.Principal(), address(l.Proxies.Client(r)))
}

func (l *Limits) refuse(limit string, wait time.Duration) error {
	if wait > 0 {
		l.refused.WithLabelValues(limit).Inc()
		return &file.Later{Kind: file.ErrTooMany, After: wait}
	}
	return nil
}
