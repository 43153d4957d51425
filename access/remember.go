package access

import (
	"context"
	"crypto/sha256"
	"hash/maphash"
	"strings"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"

	"holdfast/file"
)

// maxRemembered is how many decisions are remembered; one takes about 500 bytes.
const maxRemembered = 10_000

// memory keeps for a while who was let in where. Who was not is asked about again.
type memory struct {
	allowed *otter.Cache[visit, struct{}]
	stats   *stats.Counter
	// changes count, by a hash of the file's id, how often a grant was changed. The count
	// of when a decision began is part of its name: one that a change overtakes is kept
	// under a name that nobody asks for any more.
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

func remember(ttl time.Duration) *memory {
	counter := stats.NewCounter()
	return &memory{seed: maphash.MakeSeed(), stats: counter, allowed: otter.Must(&otter.Options[visit, struct{}]{MaximumSize: maxRemembered, StatsRecorder: counter,
		ExpiryCalculator: otter.ExpiryWriting[visit, struct{}](ttl)})}
}

// find asks whether who may read r, or remembers that they may. Requests that come
// together share one question.
func (m *memory) find(ctx context.Context, who file.Identity, r file.Record, ask func(context.Context) error) error {
	name, value := who.Credential.Reveal()
	v := visit{file: r.ID, account: who.AccountID, user: who.UserID, kind: who.Kind, fingerprint: who.Fingerprint,
		groups:     strings.Join(who.Groups, "\n"),
		credential: sha256.Sum256([]byte(name + " " + value)), changes: m.count(r.ID).Load()}
	_, err := m.allowed.Get(ctx, v, otter.LoaderFunc[visit, struct{}](
		func(ctx context.Context, _ visit) (struct{}, error) { return struct{}{}, ask(ctx) }))
	return err
}

func (m *memory) forget(id file.ID) { m.count(id).Add(1) }

func (m *memory) count(id file.ID) *atomic.Uint64 {
	return &m.changes[maphash.String(m.seed, string(id))%uint64(len(m.changes))]
}
