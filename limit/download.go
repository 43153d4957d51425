package limit

import (
	"context"
	"errors"
	"net/http"

	"holdfast/file"
)

// Download counts a response with n bytes of a file of size bytes, before it is sent. The whole
// file counts as one download. A video player requests many ranges of one file, so each
// download also gives a credit for ranges of this file: as many bytes as the file has, within
// the window. Only bytes that are sent are charged: at the end of the response unsent, which may
// be nil, must be called with the number of the n bytes that were not sent.
func (l *Limits) Download(r *http.Request, who file.Identity, id file.ID, size, n int64) (unsent func(int64),
	err error) {
	if l == nil {
		return nil, nil
	}
	ctx, name := context.WithoutCancel(r.Context()), l.name(r, who)
	paid, whole := "ranges:"+name+":"+string(id), n >= size
	if !whole && l.counter.Spend(ctx, paid, n) {
		return func(n int64) { l.counter.Spend(ctx, paid, -n) }, nil
	}
	if wait := l.counter.Take(ctx, "download:"+name, l.Downloads); wait > 0 {
		return nil, l.refuse("download", wait)
	}
	if whole {
		l.counter.Credit(ctx, paid, size, l.Downloads.Window)
		return nil, nil
	}
	l.counter.Credit(ctx, paid, size-n, l.Downloads.Window)
	return func(n int64) { l.counter.Spend(ctx, paid, -n) }, nil
}

// Link counts a link that the caller, who, wants to make. A caller may make as many as it may begin downloads; they are
// counted apart from those.
func (l *Limits) Link(r *http.Request, who file.Identity) error {
	if l == nil {
		return nil
	}
	return l.refuse("link", l.counter.Take(r.Context(), "link:"+l.name(r, who), l.Downloads))
}

// CheckDenials must be called before it is decided whether the caller, who, may read a file. A caller who was denied as
// often as they may download gets file.ErrTooMany for a while, without a decision. done must be called with the result
// of the decision. Denials of one caller must not affect others, so anonymous requests are not counted: the backend is
// not asked about them.
func (l *Limits) CheckDenials(r *http.Request, who file.Identity) (done func(error), err error) {
	if l == nil || who.Kind == "" {
		return func(error) {}, nil
	}
	ctx, name := r.Context(), "denied:"+l.name(r, who)
	if who.Kind == file.KindLink {
		name += ":" + string(who.File)
	}
	refused := func(err error) bool { return errors.Is(err, file.ErrForbidden) || errors.Is(err, file.ErrNotFound) }
	if l.denials.idle(name) { // the common case: such a caller may request many files concurrently
		return func(err error) {
			if refused(err) {
				l.denials.Take(ctx, name, l.Downloads)
			}
		}, nil
	}
	// Counted before the decision: otherwise many concurrent requests would all pass.
	if wait := l.denials.Take(ctx, name, l.Downloads); wait > 0 {
		return nil, l.refuse("denied", wait)
	}
	return func(err error) {
		if !refused(err) {
			l.denials.Refund(ctx, name, l.Downloads)
		}
	}, nil
}
