package auth

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"holdfast/file"
	"holdfast/internal/cache"
)

const (
	// maxDerivedKeys is how many keys are cached; one takes about 300 bytes.
	maxDerivedKeys = 10_000
	// maxDerivations is how many derivations may run or wait. With many rounds each costs
	// one CPU second, so further requests are refused and can be retried.
	maxDerivations = 64
	derivedTTL     = time.Hour
)

// keys derives the Redis keys of users' tokens; a token can't be recovered from its key. The
// CPU time of a derivation follows from AUTH_TOKEN_ITERATIONS, and wrong tokens cost as much as
// good ones. So derived keys are cached by the hash of their token, at most half of the
// processors derive keys, and maxDerivations bounds how many wait for them.
type keys struct {
	prefix, secret string
	iterations     int
	derived        *cache.Values[[sha256.Size]byte, string]
	turns          chan struct{}
	begun          atomic.Int64 // derived or waiting
}

func newKeys(o RedisOptions) *keys {
	return &keys{prefix: o.Prefix, secret: o.Secret, iterations: o.Iterations,
		turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		derived: cache.NewValues[[sha256.Size]byte](cache.ValuesOptions[string]{Size: maxDerivedKeys, WhileUsed: true,
			Lifetime: func(string) time.Duration { return derivedTTL }})}
}

// find returns the key of a token. It waits for its turn until ctx ends. If too many wait
// already, it returns file.ErrUnavailable at once.
func (k *keys) find(ctx context.Context, token string) (string, error) {
	hash := sha256.Sum256([]byte(token))
	if key, ok := k.derived.Get(hash); ok {
		return key, nil
	}
	defer k.begun.Add(-1)
	if k.begun.Add(1) > maxDerivations {
		return "", fmt.Errorf("derive key: %d derivations are waiting: %w", maxDerivations, file.ErrUnavailable)
	}
	select {
	case k.turns <- struct{}{}:
		defer func() { <-k.turns }()
	case <-ctx.Done():
		return "", fmt.Errorf("derive key: %w: %w", file.ErrUnavailable, ctx.Err())
	}
	if key, ok := k.derived.Get(hash); ok { // another request with this token derived it
		return key, nil
	}
	sum, err := pbkdf2.Key(sha256.New, token, []byte(k.secret), k.iterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("derive key: %w", err)
	}
	key := k.prefix + hex.EncodeToString(sum)
	k.derived.Set(hash, key)
	return key, nil
}
