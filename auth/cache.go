package auth

import (
	"context"
	"crypto/sha256"
	"time"

	"holdfast/internal/cache"
)

// tokenCache caches the identities behind good tokens. Wrong tokens are never cached, so they use no memory.
// Only requests that read use the cache: for requests that change something, the token is looked up each time.
type tokenCache struct {
	entries *cache.Cache[[sha256.Size]byte, bearer]
}

func newTokenCache(ttl time.Duration) tokenCache {
	return tokenCache{cache.New[[sha256.Size]byte](cache.Options[bearer]{TTL: ttl,
		Until: func(f bearer) time.Time { return f.until }})}
}

// find returns the identity behind a token that is good, or was good within the TTL.
func (c tokenCache) find(ctx context.Context, p presentedToken,
	look func(context.Context) (bearer, error)) (bearer, error) {
	key := sha256.Sum256([]byte(string(p.scheme) + " " + p.token))
	return c.entries.Get(ctx, key, func(ctx context.Context, _ [sha256.Size]byte) (bearer, error) { return look(ctx) })
}
