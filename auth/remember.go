package auth

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/maypok86/otter/v2"

	"holdfast/file"
)

// maxRemembered is how many tokens are remembered; one takes about 300 bytes.
const maxRemembered = 10_000

// memory keeps tokens that were found in force for a while, and never those that were
// not. It is asked for reading alone: what changes something asks the database.
type memory struct {
	tokens Tokens
	known  *otter.Cache[[sha256.Size]byte, file.Token]
}

func remember(tokens Tokens, ttl time.Duration) Tokens {
	type entry = otter.Entry[[sha256.Size]byte, file.Token]
	return &memory{tokens, otter.Must(&otter.Options[[sha256.Size]byte, file.Token]{
		MaximumSize: maxRemembered,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e entry) time.Duration {
			if e.Value.ExpiresAt.IsZero() {
				return ttl
			}
			return max(1, min(ttl, time.Until(e.Value.ExpiresAt)))
		}),
	})}
}

// Token finds a token that is in force, or was a moment ago.
func (m *memory) Token(ctx context.Context, hash []byte) (file.Token, error) {
	return m.known.Get(ctx, [sha256.Size]byte(hash), otter.LoaderFunc[[sha256.Size]byte, file.Token](
		func(ctx context.Context, hash [sha256.Size]byte) (file.Token, error) {
			return m.tokens.Token(ctx, hash[:])
		}))
}
