package auth

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"holdfast/file"
)

const (
	// redisTimeout is for one step: to connect, to send, to get an answer, to get a
	// connection out of the pool. All together have lookupTimeout.
	redisTimeout = 2 * time.Second
	// redisConnections are as many lookups as there can be at the same time.
	redisConnections = 32
)

// RedisOptions say where Django keeps tokens, and under which keys.
type RedisOptions struct {
	URL        string // redis:// or rediss://; it holds the password
	Prefix     string // of every key
	Secret     string // Django's SECRET_KEY, from which the keys of users' tokens are made
	Iterations int    // of PBKDF2
}

// Redis reads the tokens that Django keeps there.
type Redis struct {
	RedisOptions
	client *redis.Client
	keys   *keys
}

// OpenRedis prepares the connection; it is made when it is needed first.
func OpenRedis(o RedisOptions) (*Redis, error) {
	parsed, err := redis.ParseURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err) // of a URL that can be parsed it shows no password
	}
	parsed.DialTimeout, parsed.ReadTimeout, parsed.WriteTimeout, parsed.PoolTimeout = redisTimeout, redisTimeout,
		redisTimeout, redisTimeout
	parsed.ContextTimeoutEnabled = true // or a Redis that hangs would be waited for longer
	parsed.PoolSize, parsed.MaxActiveConns, parsed.MaxRetries, parsed.DialerRetries = redisConnections, redisConnections,
		1, 1
	parsed.DisableIdentity = true
	parsed.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	redis.SetLogger(quiet{}) // the library writes past our log what it returns as well
	return &Redis{o, redis.NewClient(parsed), newKeys(o)}, nil
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// Ping asks whether Redis answers.
func (r *Redis) Ping(ctx context.Context) error {
	if err := r.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ping: %w: %w", file.ErrRedis, err)
	}
	return nil
}

// Close ends all connections.
func (r *Redis) Close() error { return r.client.Close() }

// fields reads the pickled dict under a key. What is no such thing is file.ErrNotFound:
// nobody can be told from it.
func (r *Redis) fields(ctx context.Context, key string) (map[string]any, error) {
	// Not GET: what lies there may have any length.
	value, err := r.client.GetRange(ctx, key, 0, maxPickle).Bytes()
	switch {
	case redis.HasErrorPrefix(err, "WRONGTYPE"):
		return nil, fmt.Errorf("another type of value: %w", file.ErrNotFound)
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

func (r redisUsers) find(ctx context.Context, token string) (found, error) {
	key, err := r.keys.find(ctx, token)
	if err != nil {
		return found{}, err
	}
	fields, err := r.fields(ctx, key)
	if err != nil {
		return found{}, err
	}
	user, account := pickledID(fields["user_id"]), pickledID(fields["account_id"])
	if user == 0 || account == 0 {
		return found{}, fmt.Errorf("no user and account in the token: %w", file.ErrNotFound)
	}
	return found{who: file.Identity{Kind: file.KindUser, UserID: user, AccountID: account}}, nil
}

// redisPublics finds the tokens of public and of embedded forms.
type redisPublics struct{ *Redis }

func (r redisPublics) find(ctx context.Context, token string) (found, error) {
	// Their keys are the tokens themselves: anything else could read other keys of Django's.
	if !IsPublicToken(token) {
		return found{}, file.ErrNotFound
	}
	fields, err := r.fields(ctx, r.Prefix+token)
	if err != nil {
		return found{}, err
	}
	account := pickledID(fields["account_id"])
	if account == 0 {
		return found{}, fmt.Errorf("no account in the token: %w", file.ErrNotFound)
	}
	return found{who: file.Identity{Kind: file.KindPublic, AccountID: account, Fingerprint: Fingerprint(token)}}, nil
}

// pickledID reads an id: a whole number above 0, and nothing that could pass for one.
func pickledID(v any) int64 {
	n, _ := v.(int64)
	return max(n, 0)
}

// IsPublicToken says whether a text can be the token of a public form, which has 8
// characters, or of an embedded one, which has 32.
func IsPublicToken(s string) bool {
	return (len(s) == 8 || len(s) == 32) && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_'
	})
}
