package auth

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"
)

// maxRemembered is how many tokens are remembered; one takes about 500 bytes.
const maxRemembered = 10_000

// memory keeps the identities behind tokens that were good for a while, and nothing of
// those that were not: whoever sends wrong ones fills no memory. It is asked for reading
// alone: what changes something asks where the token is kept.
type memory struct {
	known *otter.Cache[[sha256.Size]byte, found]
	stats *stats.Counter
}

func remember(ttl time.Duration) *memory {
	type entry = otter.Entry[[sha256.Size]byte, found]
	counter := stats.NewCounter()
	return &memory{stats: counter, known: otter.Must(&otter.Options[[sha256.Size]byte, found]{
		MaximumSize: maxRemembered, StatsRecorder: counter,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e entry) time.Duration {
			if e.Value.until.IsZero() {
				return ttl
			}
			return max(1, min(ttl, time.Until(e.Value.until)))
		}),
	})}
}

// find finds who is behind a token that is good, or was a moment ago. Requests that come
// together with the same token share one lookup.
func (m *memory) find(ctx context.Context, p presented, ask func(context.Context) (found, error)) (found, error) {
	key := sha256.Sum256([]byte(string(p.scheme) + " " + p.token))
	return m.known.Get(ctx, key, otter.LoaderFunc[[sha256.Size]byte, found](
		func(ctx context.Context, _ [sha256.Size]byte) (found, error) {
			// Who asked first may go away: the others who share this lookup stay.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
			defer cancel()
			return ask(ctx)
		}))
}
