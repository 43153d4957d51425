package access

import (
	"context"
	"crypto/sha256"
	"hash/maphash"
	"strings"
	"sync/atomic"
	"time"

	"holdfast/file"
	"holdfast/internal/cache"
)

// decisionCache caches which callers may read which files. Refusals are never cached.
type decisionCache struct {
	allowed *cache.Cache[visit, struct{}]
	// changes count, by a hash of the file's id, how often a grant was changed. The count at
	// the start of a decision is part of its key: if the grant changes meanwhile, the decision
	// is cached under a key that is never looked up again.
	changes [256]atomic.Uint64
	seed    maphash.Seed
}

// visit is the cache key: a caller and the file to read.
type visit struct {
	file          file.ID
	account, user int64
	kind          file.Kind
	fingerprint   string // of the token, for a caller without a user
	groups        string
	credential    [sha256.Size]byte // a guest's tokens may be for different tasks: the backend decides by token
	changes       uint64
}

func newDecisionCache(ttl time.Duration) *decisionCache {
	return &decisionCache{seed: maphash.MakeSeed(), allowed: cache.New[visit](cache.Options[struct{}]{TTL: ttl})}
}

// find returns nil if the caller, who, may read r, by a cached decision or else by ask's.
func (c *decisionCache) find(ctx context.Context, who file.Identity, r file.Record,
	ask func(context.Context) error) error {
	name, value := who.Credential.Reveal()
	v := visit{file: r.ID, account: who.AccountID, user: who.UserID, kind: who.Kind, fingerprint: who.Fingerprint,
		groups:     strings.Join(who.Groups, "\n"),
		credential: sha256.Sum256([]byte(name + " " + value)), changes: c.count(r.ID).Load()}
	_, err := c.allowed.Get(ctx, v, func(ctx context.Context, _ visit) (struct{}, error) { return struct{}{}, ask(ctx) })
	return err
}

// invalidate drops the cached decisions about a file, and those in flight.
func (c *decisionCache) invalidate(id file.ID) { c.count(id).Add(1) }

func (c *decisionCache) count(id file.ID) *atomic.Uint64 {
	return &c.changes[maphash.String(c.seed, string(id))%uint64(len(c.changes))]
}
