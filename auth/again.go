package auth

import (
	"context"
	"net/http"
	"time"

	"holdfast/file"
)

// Moment is how long the identity of a request counts before it changes something. One that runs for longer, as while
// its body arrives, is asked for it again: its token may have been revoked, or have expired. Most requests that
// complete no upload end within it, and are looked up once.
const Moment = time.Second

// entry is how a request was identified.
type entry struct {
	r        *http.Request
	identify func(*http.Request) (file.Identity, error)
	who      file.Identity
	since    time.Time
}

type entryKey struct{}

// Enter identifies the caller of a request, and returns the request with a context that carries the identity, and for
// Again how it was found.
func Enter(r *http.Request, identify func(*http.Request) (file.Identity, error)) (*http.Request, file.Identity, error) {
	since := time.Now()
	who, err := identify(r)
	if err != nil {
		return r, file.Identity{}, err
	}
	// The client may go away while its bytes are kept: that must not end a lookup, which has a limit of its own.
	lasting := r.WithContext(context.WithoutCancel(r.Context()))
	ctx := context.WithValue(NewContext(r.Context(), who), entryKey{}, entry{lasting, identify, who, since})
	return r.WithContext(ctx), who, nil
}

// Again identifies the caller of the request that ctx belongs to anew, if moment has passed since Enter. It is for
// requests that change something, for which no token is cached, and is called right before they do. The error is the
// one that a new request with the same tokens gets, and file.ErrDenied if they are another caller's now. It is nil
// where there is no such request.
func Again(ctx context.Context, moment time.Duration) error {
	e, entered := ctx.Value(entryKey{}).(entry)
	if !entered || time.Since(e.since) < moment {
		return nil
	}
	who, err := e.identify(e.r)
	if err == nil && !who.Same(e.who) {
		err = file.Refuse(file.ErrDenied, "The tokens of this request are another caller's now")
	}
	return err
}
