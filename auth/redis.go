package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"holdfast/file"
	"holdfast/internal/redisclient"
)

const (
	// redisTimeout is for each step: see redisclient.Options. lookupTimeout is for all of them together.
	redisTimeout = 2 * time.Second
	// redisConnections is the maximum of concurrent lookups.
	redisConnections = 32
)

// RedisOptions say in which Redis Django stores tokens, and under which keys.
type RedisOptions struct {
	URL        string // redis:// or rediss://, with the password
	Prefix     string // of every key
	Secret     string // Django's SECRET_KEY, from which the keys of users' tokens are made
	Iterations int    // of PBKDF2
}

// Redis reads the tokens that Django stores in Redis.
type Redis struct {
	RedisOptions
	client *redisclient.Client
	keys   *keys
}

// OpenRedis returns a Redis, which connects on first use.
func OpenRedis(o RedisOptions) (*Redis, error) {
	client, err := redisclient.Open(redisclient.Options{URL: o.URL, Patience: redisTimeout,
		Connections: redisConnections, Retries: 1})
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	return &Redis{o, client, newKeys(o)}, nil
}

// Ping asks whether Redis answers.
func (r *Redis) Ping(ctx context.Context) error {
	if err := r.client.Ping(ctx); err != nil {
		return fmt.Errorf("ping: %w: %w", file.ErrRedis, err)
	}
	return nil
}

// Close ends all connections.
func (r *Redis) Close() error { return r.client.Close() }

// fields reads the pickled dict under a key. The error is file.ErrNotFound if the value is no
// such dict, since it names no identity.
func (r *Redis) fields(ctx context.Context, key string) (map[string]any, error) {
	value, err := r.client.Get(ctx, key, maxPickle)
	switch {
	case errors.Is(err, redisclient.ErrNotText):
		return nil, fmt.Errorf("%w: %w", err, file.ErrNotFound)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", file.ErrRedis, err)
	case len(value) == 0:
		return nil, file.ErrNotFound
	}
	fields, err := unpickle(value)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", file.ErrNotFound, err)
	}
	return fields, nil
}

// redisUsers finds the tokens of people who signed in to Django.
type redisUsers struct{ *Redis }

func (r redisUsers) find(ctx context.Context, token string) (bearer, error) {
	key, err := r.keys.find(ctx, token)
	if err != nil {
		return bearer{}, err
	}
	fields, err := r.fields(ctx, key)
	if err != nil {
		return bearer{}, err
	}
	user, account := pickledID(fields["user_id"]), pickledID(fields["account_id"])
	if user == 0 || account == 0 {
		return bearer{}, fmt.Errorf("no user and account in the token: %w", file.ErrNotFound)
	}
	return bearer{who: file.Identity{Kind: file.KindUser, UserID: user, AccountID: account}}, nil
}

// redisPublics finds the tokens of public and of embedded forms.
type redisPublics struct{ *Redis }

func (r redisPublics) find(ctx context.Context, token string) (bearer, error) {
	// The token itself is the key: without this check a caller could read other keys of Django.
	if !IsPublicToken(token) {
		return bearer{}, file.ErrNotFound
	}
	fields, err := r.fields(ctx, r.Prefix+token)
	if err != nil {
		return bearer{}, err
	}
	account := pickledID(fields["account_id"])
	if account == 0 {
		return bearer{}, fmt.Errorf("no account in the token: %w", file.ErrNotFound)
	}
	return bearer{who: file.Identity{Kind: file.KindPublic, AccountID: account, Fingerprint: Fingerprint(token)}}, nil
}

// pickledID reads an id: an integer above 0, and no value of another type.
func pickledID(v any) int64 {
	n, _ := v.(int64)
	return max(n, 0)
}

// IsPublicToken reports whether s has the form of a token of a public form (8 characters) or
// of an embedded form (32 characters).
func IsPublicToken(s string) bool {
	return (len(s) == 8 || len(s) == 32) && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_'
	})
}
