// Package limit says when somebody asks too often: for new uploads, for downloads, for what
// they may not have, and with wrong tokens. Who is known is counted by identity, everybody
// else by address; who fills in a public form by both, since many hold its token.
//
// # Errors
//
// file.ErrTooMany, as a file.Later that says when to come again. Nothing else: where Redis
// does not answer, each replica counts for itself.
package limit

import (
	"context"
	"net/http"
	"time"

	"holdfast/file"
)

// Rate allows so many events in a window, with a count of 0 any number, and after them one more whenever a part of the
// window has passed.
type Rate struct {
	Count  int
	Window time.Duration
}

// Counter counts events under keys.
type Counter interface {
	// Take counts an event if there is room for it; else it says after which time there is.
	Take(ctx context.Context, key string, r Rate) (wait time.Duration)
	// Give makes room again for an event that Take counted.
	Give(ctx context.Context, key string, r Rate)
	// Mark makes Marked true for a time; 0 ends that.
	Mark(ctx context.Context, key string, ttl time.Duration)
	Marked(ctx context.Context, key string) bool
	// Credit gives a key so many bytes to spend in a time, in place of what it had.
	Credit(ctx context.Context, key string, bytes int64, ttl time.Duration)
	// Spend takes bytes from a credit, or gives back a negative number of them. It says false,
	// and does nothing, where the credit is over or has not so many.
	Spend(ctx context.Context, key string, bytes int64) bool
}

// Settings of the limits.
type Settings struct {
	Uploads, Downloads Rate
	Failures           Rate // different wrong tokens, by address
	Proxies            Proxies
}

// Limits are the limits of the service. Those of a nil *Limits are never reached.
type Limits struct {
	counter Counter
	// good has, by their fingerprints, tokens that were good in this replica a while ago. They
	// are not counted, so Redis is asked about those only that come here for the first time.
	good *Memory
	// denials are counted by each replica for itself, so that nothing has to be asked for
	// those who may.
	denials *Memory
	refused refusals
	Settings
}

// New returns limits that count with c.
func New(c Counter, s Settings) *Limits { return &Limits{c, NewMemory(), NewMemory(), newRefused(), s} }

// Upload counts an upload that who wants to begin.
func (l *Limits) Upload(r *http.Request, who file.Identity) error {
	if l == nil {
		return nil
	}
	return l.refuse("upload", l.counter.Take(r.Context(), "upload:"+l.name(r, who), l.Uploads))
}

// PartsPerUpload is how many partial uploads may be begun for each file (tus 1.0.0, Concatenation): a client
// divides a file into a few and sends them side by side.
const PartsPerUpload = 16

// Part counts a partial upload that who wants to begin. It is not counted as a file: the final one is.
func (l *Limits) Part(r *http.Request, who file.Identity) error {
	if l == nil {
		return nil
	}
	rate := Rate{Count: PartsPerUpload * l.Uploads.Count, Window: l.Uploads.Window}
	return l.refuse("upload", l.counter.Take(r.Context(), "part:"+l.name(r, who), rate))
}

// name is under what a request is counted.
func (l *Limits) name(r *http.Request, who file.Identity) string {
	p, from := who.Principal(), address(l.Proxies.Client(r))
	switch {
	case p == "":
		return from
	case who.Kind == file.KindPublic: // all visitors of a form have its token
		return p + "@" + from
	}
	return p
}

func (l *Limits) refuse(limit string, wait time.Duration) error {
	if wait > 0 {
		l.refused.WithLabelValues(limit).Inc()
		return &file.Later{Kind: file.ErrTooMany, After: wait}
	}
	return nil
}
