// Package auth says who is asking: a header or a cookie, a token in it, an identity
// behind that. It is the only place where tokens are read.
//
// # Errors
//
// file.ErrUnauthenticated for whoever can't be told; file.ErrInvalid for a request with more
// tokens than one has; file.ErrTooMany where the Guard did not let a token be looked up;
// file.ErrUnavailable when it could not be found out, which is never taken for "nobody":
// file.ErrRedis if it is Redis that does not answer, file.ErrDatabase for SQL,
// file.ErrProvider for the keys of signed tokens.
package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"holdfast/file"
)

// lookupTimeout is the longest that it may take to find a request's tokens, wherever they are.
const lookupTimeout = 5 * time.Second

// source finds the identity behind a token, and until when it is good at most; a zero time
// is no end that is known. A token that it does not know is file.ErrNotFound, and one that
// is not good (any more) too.
type source interface {
	find(ctx context.Context, token string) (found, error)
}

type found struct {
	who   file.Identity
	until time.Time
}

// verifier is a source that judges a token by what is in it, and asks nobody: a guess costs
// no lookup there, so it is asked before the Guard.
type verifier interface{ verifies() }

// Guard bounds how many wrong tokens a client may try. It is asked before a token is looked
// up, and gets no more of it than its Fingerprint. Its error, a file.ErrTooMany, keeps the
// token from being looked up; else done is called with what came of it: nil for a token that
// is good, a file.ErrNotFound for one that is not, any other error where nobody knows.
type Guard func(r *http.Request, fingerprint string) (done func(error), err error)

// Options say where tokens are found. All but Local may be missing.
type Options struct {
	Local  Tokens
	Redis  *Redis
	Guests []byte // the key of guests' signed tokens
	Signed *Signed
	// CacheTTL is how long a token that was good may still read, but change nothing, after
	// it was revoked; 0 is not at all.
	CacheTTL time.Duration
	Guard    Guard // nil: tokens may be tried without end
}

// Authenticator tells identities from requests.
type Authenticator struct {
	sources map[scheme][]source
	cache   tokenCache
	guard   Guard
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
	return &Authenticator{guard: o.Guard, cache: newTokenCache(o.CacheTTL),
		sources: map[scheme][]source{userScheme: users, guestScheme: guests, publicScheme: publics}}
}

// Identify says who sent r: of the tokens that came with it the first one that is good.
// Cookies count for GET and HEAD alone, so that a foreign page can't make a browser change
// anything. One that the Guard keeps from being looked up is passed over, as a wrong one is:
// the next may be good.
func (a *Authenticator) Identify(r *http.Request) (file.Identity, error) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	tokens := read(r, reads)
	if len(tokens) > maxPresented {
		return file.Identity{}, file.Refuse(file.ErrInvalid, "at most %d tokens may come with a request", maxPresented)
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookupTimeout)
	defer cancel()
	refused := file.ErrUnauthenticated
	for _, p := range tokens {
		f, err := a.lookUp(ctx, r, p, reads)
		switch {
		case err == nil:
			return f.who, nil
		case errors.Is(err, file.ErrTooMany):
			refused = err
		case !errors.Is(err, file.ErrNotFound):
			return file.Identity{}, fmt.Errorf("look up %s token: %w", p.scheme, err)
		}
	}
	return file.Identity{}, fmt.Errorf("%d tokens tried: %w", len(tokens), refused)
}

// lookUp finds the identity behind a token; for reading, a cached one will do.
func (a *Authenticator) lookUp(ctx context.Context, r *http.Request, p presented, reads bool) (found, error) {
	ask := func(ctx context.Context) (found, error) { return a.find(ctx, r, p) }
	if reads {
		return a.cache.find(ctx, p, ask)
	}
	return ask(ctx)
}

// find asks every source for a token: first those that need no lookup for it, and the others
// as the Guard lets it.
func (a *Authenticator) find(ctx context.Context, r *http.Request, p presented) (f found, err error) {
	all := a.sources[p.scheme]
	if f, err = ask(ctx, all, p, true); !errors.Is(err, file.ErrNotFound) {
		return f, err
	}
	if a.guard != nil {
		done, refused := a.guard(r, Fingerprint(string(p.scheme)+" "+p.token))
		if refused != nil {
			return found{}, refused
		}
		defer func() { done(err) }()
	}
	return ask(ctx, all, p, false)
}

// ask asks the sources that verify, or those that don't.
func ask(ctx context.Context, all []source, p presented, verify bool) (found, error) {
	for _, s := range all {
		if _, does := s.(verifier); does != verify {
			continue
		}
		f, err := s.find(ctx, p.token)
		if err == nil {
			if _, inHouse := s.(local); !inHouse { // the backend knows nothing of ours
				f.who.Credential = p.credential()
			}
			return f, nil
		}
		if !errors.Is(err, file.ErrNotFound) {
			return found{}, err
		}
	}
	return found{}, file.ErrNotFound
}

type (
	identityKey  struct{}
	anonymousKey struct{}
)

// NewContext returns a context that carries who is asking.
func NewContext(ctx context.Context, who file.Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// FromContext returns who is asking; ok is false if nobody said.
func FromContext(ctx context.Context) (who file.Identity, ok bool) {
	who, ok = ctx.Value(identityKey{}).(file.Identity)
	return who, ok
}

// AnonymousContext returns a context that carries why it is not known who is asking.
func AnonymousContext(ctx context.Context, why error) context.Context {
	return context.WithValue(ctx, anonymousKey{}, why)
}

// Conceal returns what the sender of a request may learn of err, the result of looking for a file and of asking
// whether they may have it. An anonymous one is not told whether a file exists: they get the error of
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
