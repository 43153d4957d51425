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

// decisionCache keeps who was let in where. Refusals are never cached.
type decisionCache struct {
	allowed *cache.Cache[visit, struct{}]
	// changes count, by a hash of the file's id, how often a grant was changed. The count
	// of when a decision began is part of its key: one that a change overtakes is kept
	// under a key that nobody asks for any more.
	changes [256]atomic.Uint64
	seed    maphash.Seed
}

// visit is somebody who wants to read a file.
type visit struct {
	file          file.ID
	account, user int64
	kind          file.Kind
	fingerprint   string // of the token of who has no user
	groups        string
	credential    [sha256.Size]byte // two of one guest's may be for two tasks: the backend tells them apart
	changes       uint64
}

func newDecisionCache(ttl time.Duration) *decisionCache {
	return &decisionCache{seed: maphash.MakeSeed(), allowed: cache.New[visit](cache.Options[struct{}]{TTL: ttl})}
}

// find returns nil if who may read r by a cached decision, or by the one that ask makes.
func (c *decisionCache) find(ctx context.Context, who file.Identity, r file.Record,
	ask func(context.Context) error) error {
	name, value := who.Credential.Reveal()
	v := visit{file: r.ID, account: who.AccountID, user: who.UserID, kind: who.Kind, fingerprint: who.Fingerprint,
		groups:     strings.Join(who.Groups, "\n"),
		credential: sha256.Sum256([]byte(name + " " + value)), changes: c.count(r.ID).Load()}
	_, err := c.allowed.Get(ctx, v, func(ctx context.Context, _ visit) (struct{}, error) { return struct{}{}, ask(ctx) })
	return err
}

// invalidate drops what was decided about a file, and what is being decided.
func (c *decisionCache) invalidate(id file.ID) { c.count(id).Add(1) }

func (c *decisionCache) count(id file.ID) *atomic.Uint64 {
	return &c.changes[maphash.String(c.seed, string(id))%uint64(len(c.changes))]
}
