// Package limit says when somebody asks too often: for new uploads, for downloads, and
// with wrong tokens. Who is known is counted by identity, everybody else by address.
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

// Rate allows so many events in a window, and after them one more whenever a part of the
// window has passed.
type Rate struct {
	Count  int
	Window time.Duration
}

// Counter counts events under keys.
type Counter interface {
	// Take counts an event if there is room for it; else it says after which time there is.
	Take(ctx context.Context, key string, r Rate) (wait time.Duration)
	// Mark makes Marked true for a time.
	Mark(ctx context.Context, key string, ttl time.Duration)
	Marked(ctx context.Context, key string) bool
}

// Settings of the limits.
type Settings struct {
	Uploads, Downloads Rate
	Failures           Rate // of tokens, by address
	Proxies            Proxies
}

// Limits are the limits of the service. Those of a nil *Limits are never reached.
type Limits struct {
	counter Counter
	// failures is not shared: to ask Redis before every token would cost more than a wrong
	// one, so each replica has this limit to itself.
	failures *Memory
	refused  refusals
	Settings
}

// New returns limits that count with c.
func New(c Counter, s Settings) *Limits { return &Limits{c, NewMemory(), newRefused(), s} }

// Upload counts an upload that who wants to begin.
func (l *Limits) Upload(r *http.Request, who file.Identity) error {
	if l == nil {
		return nil
	}
	return l.refuse("upload", l.counter.Take(r.Context(), "upload:"+l.name(r, who), l.Uploads))
}

// Download counts a download. Who plays a film asks for range after range of it: those of
// a file that was counted, in this window, are free.
func (l *Limits) Download(r *http.Request, who file.Identity, id file.ID) error {
	if l == nil || r.Method != http.MethodGet {
		return nil
	}
	ctx, name := r.Context(), l.name(r, who)
	seen := "seen:" + name + ":" + string(id)
	if r.Header.Get("Range") != "" && l.counter.Marked(ctx, seen) {
		return nil
	}
	wait := l.counter.Take(ctx, "download:"+name, l.Downloads)
	if wait == 0 {
		l.counter.Mark(ctx, seen, l.Downloads.Window)
	}
	return l.refuse("download", wait)
}

// Failing refuses a request from where too many wrong tokens came, before its own is
// looked at.
func (l *Limits) Failing(r *http.Request) error {
	if l == nil {
		return nil
	}
	return l.refuse("token", l.failures.wait(address(l.Proxies.Client(r)), l.Failures))
}

// Failed counts a wrong token.
func (l *Limits) Failed(r *http.Request) {
	if l != nil {
		l.failures.Take(r.Context(), address(l.Proxies.Client(r)), l.Failures)
	}
}

// name is under what a request is counted.
func (l *Limits) name(r *http.Request, who file.Identity) string {
	if p := who.Principal(); p != "" {
		return p
	}
	return address(l.Proxies.Client(r))
}

func (l *Limits) refuse(limit string, wait time.Duration) error {
	if wait > 0 {
		l.refused.WithLabelValues(limit).Inc()
		return &file.Later{Kind: file.ErrTooMany, After: wait}
	}
	return nil
}
