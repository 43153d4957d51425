package limit

import (
	"context"
	"errors"
	"net/http"

	"holdfast/file"
)

// Download counts an answer with n bytes of a file of size bytes, before it is sent. All of
// the file is a download. Who plays a film asks for range after range of it, so a download
// pays for ranges of this file, too: for as many bytes as the file has, in the window. Only
// what is sent is paid for: unsent, which may be nil, has to be told in the end how many of
// the n bytes were not.
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

// Ask is called before it is found out whether somebody may read a file: who was refused as
// often as they may download is not asked about, for a while. done is called with how that
// ended. Nobody's refusals stop others, so who is anonymous is not counted: no backend is
// asked about them.
func (l *Limits) Ask(r *http.Request, who file.Identity) (done func(error), err error) {
	if l == nil || who.Kind == "" {
		return func(error) {}, nil
	}
	ctx, name := r.Context(), "denied:"+l.name(r, who)
	if who.Kind == file.KindLink {
		name += ":" + string(who.File)
	}
	refused := func(err error) bool { return errors.Is(err, file.ErrForbidden) || errors.Is(err, file.ErrNotFound) }
	if l.denials.idle(name) { // as most are, who may ask for many files at the same time
		return func(err error) {
			if refused(err) {
				l.denials.Take(ctx, name, l.Downloads)
			}
		}, nil
	}
	// Each has its place before it is asked about: many at once could not be told later.
	if wait := l.denials.Take(ctx, name, l.Downloads); wait > 0 {
		return nil, l.refuse("denied", wait)
	}
	return func(err error) {
		if !refused(err) {
			l.denials.Give(ctx, name, l.Downloads)
		}
	}, nil
}
