// Package auth says who is asking: a header or a cookie, a token in it, an identity
// behind that. It is the only place where tokens are read.
//
// # Errors
//
// file.ErrUnauthenticated for whoever can't be told; file.ErrUnavailable when that
// could not be found out, which is never taken for "nobody": file.ErrRedis if it is Redis
// that does not answer, file.ErrDatabase for SQL, file.ErrProvider for the keys of signed
// tokens.
package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"holdfast/file"
)

// lookupTimeout is the longest that it may take to find one token, wherever it is.
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

// Options say where tokens are found. All but Local may be missing.
type Options struct {
	Local  Tokens
	Redis  *Redis
	Guests []byte // the key of guests' signed tokens
	Signed *Signed
	// Remember is how long a token that was good may still read, but change nothing, after
	// it was revoked; 0 is not at all.
	Remember time.Duration
}

// Authenticator tells identities from requests.
type Authenticator struct {
	sources map[scheme][]source
	memory  *memory // nil: nothing is remembered
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
	a := &Authenticator{sources: map[scheme][]source{userScheme: users, guestScheme: guests, publicScheme: publics}}
	if o.Remember > 0 {
		a.memory = remember(a.find, o.Remember)
	}
	return a
}

// Identify says who sent r: of the tokens that came with it the first one that is good.
// Cookies count for GET and HEAD alone, so that a foreign page can't make a browser change
// anything.
func (a *Authenticator) Identify(r *http.Request) (file.Identity, error) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	tokens, find := read(r, reads), a.find
	if reads && a.memory != nil {
		find = a.memory.find
	}
	for _, p := range tokens {
		f, err := find(r.Context(), p)
		if err == nil {
			return f.who, nil
		}
		if !errors.Is(err, file.ErrNotFound) {
			return file.Identity{}, fmt.Errorf("look up %s token: %w", p.scheme, err)
		}
	}
	return file.Identity{}, fmt.Errorf("%d tokens tried: %w", len(tokens), file.ErrUnauthenticated)
}

// find asks every source for a token.
func (a *Authenticator) find(ctx context.Context, p presented) (found, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	for _, s := range a.sources[p.scheme] {
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

type identityKey struct{}

// NewContext returns a context that carries who is asking.
func NewContext(ctx context.Context, who file.Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// FromContext returns who is asking; ok is false if nobody said.
func FromContext(ctx context.Context) (who file.Identity, ok bool) {
	who, ok = ctx.Value(identityKey{}).(file.Identity)
	return who, ok
}
