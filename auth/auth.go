// Package auth authenticates requests: it reads tokens from headers and cookies and finds the
// identity behind a token. It is the only place where tokens are read.
//
// # Errors
//
// file.ErrUnauthenticated if no token is good; file.ErrInvalid for a request with too many
// tokens; file.ErrTooMany if the Guard refused the lookup of a token; file.ErrUnavailable if
// a token could not be looked up. Such a request is never treated as anonymous. It is
// file.ErrRedis if Redis does not answer, file.ErrDatabase for SQL, file.ErrProvider for the
// keys of signed tokens.
package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"holdfast/file"
)

// lookupTimeout is for looking up all tokens of a request, in all sources together.
const lookupTimeout = 5 * time.Second

// source finds the identity behind a token, and when the token expires; the zero time if that
// is not known. The error is file.ErrNotFound for a token that it does not know, and for one that
// is not good, or no longer.
type source interface {
	find(ctx context.Context, token string) (bearer, error)
}

type bearer struct {
	who   file.Identity
	until time.Time
}

// verifier is a source that verifies a token by its contents, without a lookup. A guess costs
// little there, so a verifier is asked before the Guard.
type verifier interface{ verifies() }

// Guard limits how many wrong tokens a client may try. It is called before a token is looked
// up, and gets only the token's Fingerprint. If it returns an error, a file.ErrTooMany, the
// token is not looked up. Else done is called with the result of the lookup: nil for a good
// token, file.ErrNotFound for a wrong one, any other error if the lookup failed.
type Guard func(r *http.Request, fingerprint string) (done func(error), err error)

// Options are the sources of tokens. All but Local may be missing.
type Options struct {
	Local  Tokens
	Redis  *Redis
	Guests []byte // the HMAC key of guests' signed tokens
	Signed *Signed
	// CacheTTL is how long a revoked token may still be accepted for reading, but not for
	// changes; with 0 it is refused at once.
	CacheTTL time.Duration
	Guard    Guard // nil: no limit
	// Visitor is the Visitor of an identity whose token came with a request; nil: none has one.
	Visitor func(*http.Request, file.Identity) string
}

// Authenticator finds the identities of callers.
type Authenticator struct {
	sources map[scheme][]source
	cache   tokenCache
	guard   Guard
	visitor func(*http.Request, file.Identity) string
}

// New returns an Authenticator.
func New(o Options) *Authenticator {
	users := []source{local{o.Local}}
	var guests, publics []source
	if o.Signed != nil {
		users = append(users, o.Signed)
	}
	if o.Redis != nil {
		users = append(users, redisUsers{o.Redis})
		publics = append(publics, redisPublics{o.Redis})
	}
	if len(o.Guests) > 0 {
		guests = append(guests, guestTokens(o.Guests))
	}
	if o.Visitor == nil {
		o.Visitor = func(*http.Request, file.Identity) string { return "" }
	}
	return &Authenticator{guard: o.Guard, visitor: o.Visitor, cache: newTokenCache(o.CacheTTL),
		sources: map[scheme][]source{userScheme: users, guestScheme: guests, publicScheme: publics}}
}

// Identify returns the identity of the caller: that of the first good token in r. Cookies
// count only for GET and HEAD, so that a foreign page can't make a browser change anything. A
// token whose lookup the Guard refuses is skipped like a wrong one: the next one may be
// good.
func (a *Authenticator) Identify(r *http.Request) (file.Identity, error) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	tokens := readTokens(r, reads)
	if len(tokens) > maxPresented {
		return file.Identity{}, file.Refuse(file.ErrInvalid, "at most %d tokens may come with a request", maxPresented)
	}
	deadline := time.Now().Add(lookupTimeout)
	refused := file.ErrUnauthenticated
	for _, p := range tokens {
		f, err := a.lookUp(r, p, reads, deadline)
		switch {
		case err == nil:
			f.who.Visitor = a.visitor(r, f.who)
			return f.who, nil
		case errors.Is(err, file.ErrTooMany):
			refused = err
		case !errors.Is(err, file.ErrNotFound):
			return file.Identity{}, fmt.Errorf("look up %s token: %w", p.scheme, err)
		}
	}
	return file.Identity{}, fmt.Errorf("%d tokens tried: %w", len(tokens), refused)
}

// lookUp finds the identity behind a token. Requests that only read may get a cached one.
func (a *Authenticator) lookUp(r *http.Request, p presentedToken, reads bool, deadline time.Time) (bearer, error) {
	ask := func(ctx context.Context) (bearer, error) {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		return a.find(ctx, r, p)
	}
	if reads {
		return a.cache.find(r.Context(), p, ask)
	}
	return ask(r.Context())
}

// find asks the sources for a token: first the verifiers, then, if the Guard allows it, those
// that need a lookup.
func (a *Authenticator) find(ctx context.Context, r *http.Request, p presentedToken) (f bearer, err error) {
	all := a.sources[p.scheme]
	if f, err = ask(ctx, all, p, true); !errors.Is(err, file.ErrNotFound) {
		return f, err
	}
	if a.guard != nil {
		done, refused := a.guard(r, Fingerprint(string(p.scheme)+" "+p.token))
		if refused != nil {
			return bearer{}, refused
		}
		defer func() { done(err) }()
	}
	return ask(ctx, all, p, false)
}

// ask asks the verifiers, or all other sources.
func ask(ctx context.Context, all []source, p presentedToken, verify bool) (bearer, error) {
	for _, s := range all {
		if _, does := s.(verifier); does != verify {
			continue
		}
		f, err := s.find(ctx, p.token)
		if err == nil {
			if _, inHouse := s.(local); !inHouse { // the backend does not know local tokens
				f.who.Credential = p.credential()
			}
			return f, nil
		}
		if !errors.Is(err, file.ErrNotFound) {
			return bearer{}, err
		}
	}
	return bearer{}, file.ErrNotFound
}

type (
	identityKey  struct{}
	anonymousKey struct{}
)

// NewContext returns a context that carries the identity of the caller.
func NewContext(ctx context.Context, who file.Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// FromContext returns the identity of the caller; ok is false for an anonymous request.
func FromContext(ctx context.Context) (who file.Identity, ok bool) {
	who, ok = ctx.Value(identityKey{}).(file.Identity)
	return who, ok
}

// AnonymousContext returns a context for an anonymous request, with the error of its authentication.
func AnonymousContext(ctx context.Context, why error) context.Context {
	return context.WithValue(ctx, anonymousKey{}, why)
}

// Conceal returns the error that a caller may see in place of err, the result of finding a file and of deciding
// about access to it. An anonymous caller must not learn whether a file exists, and gets the error of
// AnonymousContext, or file.ErrUnauthenticated, in place of file.ErrNotFound and of file.ErrDenied.
func Conceal(ctx context.Context, err error) error {
	if _, known := FromContext(ctx); known || !errors.Is(err, file.ErrNotFound) && !errors.Is(err, file.ErrDenied) {
		return err
	}
	if why, ok := ctx.Value(anonymousKey{}).(error); ok {
		return why
	}
	return file.ErrUnauthenticated
}
