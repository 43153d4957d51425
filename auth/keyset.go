package auth

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/MicahParks/jwkset"

	"holdfast/file"
)

const (
	// keysTTL is how old the provider's keys may be before they are fetched again.
	keysTTL = time.Hour
	// keysPause is the minimum time between two fetches, however many tokens name an unknown
	// key.
	keysPause = 10 * time.Second
	// keysTimeout is for one fetch; lookupTimeout is longer.
	keysTimeout = 4 * time.Second
	maxKeySet   = 256 << 10 // bytes
	maxKeys     = 100
)

// keySet is the public keys of a provider, fetched when they are first needed. The provider may
// be down until then. Until its keys were fetched no token can be verified: that is
// file.ErrProvider. Keys that were fetched stay in use while the provider is down.
type keySet struct {
	url    string
	client *http.Client
	latest atomic.Pointer[keyList]

	mu    sync.Mutex // one fetch at a time
	tried time.Time
}

type keyList struct {
	keys []publicKey
	at   time.Time
}

func newKeySet(url string) *keySet {
	transport := &http.Transport{MaxConnsPerHost: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2: true}
	return &keySet{url: url, client: &http.Client{Transport: transport, Timeout: keysTimeout,
		// Keys come only from the URL that the operator configured.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// find returns the keys with this id; all keys if it is empty.
func (s *keySet) find(ctx context.Context, id string) ([]publicKey, error) {
	have := s.latest.Load()
	if keys := have.named(id); len(keys) > 0 && time.Since(have.at) < keysTTL {
		return keys, nil
	}
	err := s.refresh(ctx, have)
	have = s.latest.Load()
	if have == nil {
		return nil, fmt.Errorf("keys of the token provider: %w: %w", file.ErrProvider, err)
	}
	return have.named(id), nil
}

// refresh fetches the keys, unless that was done or tried a moment ago.
func (s *keySet) refresh(ctx context.Context, seen *keyList) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest.Load() != seen {
		return nil // another request fetched them while this one waited
	}
	if time.Since(s.tried) < keysPause {
		return errors.New("tried a moment ago")
	}
	s.tried = time.Now()
	keys, err := s.fetch(ctx)
	if err == nil {
		s.latest.Store(&keyList{keys, time.Now()})
	}
	return err
}

func (s *keySet) fetch(ctx context.Context) (keys []publicKey, err error) {
	// Other requests wait for this fetch too, so it does not end with the request that began it.
	r, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	res, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered with %s", res.Status)
	}
	var set jwkset.JWKSMarshal
	if err := json.NewDecoder(io.LimitReader(res.Body, maxKeySet)).Decode(&set); err != nil {
		return nil, err
	}
	for _, k := range set.Keys[:min(len(set.Keys), maxKeys)] {
		if k.USE == jwkset.UseEnc {
			continue
		}
		// Keys of unknown kinds and broken keys are skipped; the others are still used.
		if jwk, err := jwkset.NewJWKFromMarshal(k, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{}); err == nil {
			keys = append(keys, publicKey{k.KID, k.ALG.String(), public(jwk.Key())})
		}
	}
	return keys, nil
}

// public returns the public half, in case the provider published a private key.
func public(key any) crypto.PublicKey {
	if private, ok := key.(crypto.Signer); ok {
		return private.Public()
	}
	return key
}

func (f *keyList) named(id string) (keys []publicKey) {
	if f == nil {
		return nil
	}
	for _, k := range f.keys {
		if id == "" || k.id == id {
			keys = append(keys, k)
		}
	}
	return keys
}
