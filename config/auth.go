package config

import (
	"math"
	"strings"
	"time"
)

// Auth says how people are told apart, beside local tokens.
type Auth struct {
	Redis       string // URL, which holds the password: never log it; empty: none
	RedisPrefix string // of Django's keys
	Secret      string // Django's SECRET_KEY: never log it; empty: none
	Iterations  int    // of PBKDF2, from a user's token to its key
	// RememberTTL is how long a token that was good may still read; 0: not at all.
	RememberTTL time.Duration
	JWT         *JWT // nil: no signed tokens but Django's
}

// JWT says which signed tokens of an OpenID provider count.
type JWT struct {
	KeysURL                              string // empty: none
	Secret                               string // never log it; empty: none
	Issuer, Audience                     string // empty: any
	UserClaim, AccountClaim, GroupsClaim string
}

func (r *reader) auth() Auth {
	a := Auth{
		Redis:       r.redis(),
		RedisPrefix: r.string("KEY_PREFIX_REDIS", ":1:"),
		Secret:      r.get("DJANGO_SECRET_KEY"),
		Iterations:  r.int("AUTH_TOKEN_ITERATIONS", 1, 1, math.MaxInt32),
		RememberTTL: r.timeFrom("AUTH_CACHE_TTL", 5*time.Second, 0, time.Hour),
		JWT:         r.jwt(),
	}
	// Without a backend Redis may be there for rate limits alone.
	if a.Redis != "" && a.Secret == "" && r.get("BACKEND_PRIVATE_URL") != "" {
		r.fault("DJANGO_SECRET_KEY", "is needed with AUTH_REDIS_URL and BACKEND_PRIVATE_URL: the keys in Redis are made from it")
	}
	if a.JWT != nil && a.Secret != "" && a.JWT.Secret == a.Secret {
		r.fault("AUTH_JWT_SECRET", "must be another one than DJANGO_SECRET_KEY, or tokens of one kind pass for the other")
	}
	return a
}

// minSecret is the fewest characters of a key for HMAC-SHA256 (RFC 7518, 3.2).
const minSecret = 32

func (r *reader) jwt() *JWT {
	s := &JWT{
		Secret: r.get("AUTH_JWT_SECRET"), Issuer: r.get("AUTH_JWT_ISSUER"), Audience: r.get("AUTH_JWT_AUDIENCE"),
		UserClaim:    r.string("AUTH_JWT_USER_CLAIM", "user_id"),
		AccountClaim: r.string("AUTH_JWT_ACCOUNT_CLAIM", "account_id"),
		GroupsClaim:  r.string("AUTH_JWT_GROUPS_CLAIM", "groups"),
	}
	if u := r.httpURL("AUTH_JWKS_URL"); u != nil {
		s.KeysURL = u.String()
	}
	if s.Secret != "" && len(s.Secret) < minSecret {
		r.fault("AUTH_JWT_SECRET", "must have at least 32 characters")
	}
	if s.KeysURL == "" && s.Secret == "" {
		return nil
	}
	return s
}

// backend is the URL of the backend that knows permissions, without a trailing slash.
func (r *reader) backend() string {
	u := r.httpURL("BACKEND_PRIVATE_URL")
	if u == nil {
		return ""
	}
	return strings.TrimRight(u.String(), "/")
}
