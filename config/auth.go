package config

import (
	"strings"
	"time"
)

// Auth has the settings of authentication, besides local tokens.
type Auth struct {
	Redis       string // URL, which holds the password: never log it; empty: none
	RedisPrefix string // of Django's keys
	Secret      string // Django's SECRET_KEY: never log it; empty: none
	Iterations  int    // of PBKDF2, which derives a user's Redis key from the token
	// MayCrossAccounts makes the service ask the backend about files of other accounts, too.
	MayCrossAccounts bool
	// CacheTTL is how long an accepted token may still read without being checked again; 0: not at all.
	CacheTTL time.Duration
	JWT      *JWT // nil: the only signed tokens are Django's
}

// JWT says which signed tokens of an OpenID provider are accepted.
type JWT struct {
	KeysURL                              string // empty: none
	Secret                               string // never log it; empty: none
	Issuer, Audience                     string // empty: any
	UserClaim, AccountClaim, GroupsClaim string
}

// maxIterations of PBKDF2 take a processor about half a second. Deriving a key can't be canceled.
const maxIterations = 1_000_000

// auth reads the settings of authentication. The second result is the URL of the backend that decides on
// permissions, without a trailing slash, or empty.
func (r *reader) auth() (a Auth, backend string) {
	r.group = "Who is asking, and what they may see"
	a = Auth{
		CacheTTL: r.timeFrom("AUTH_CACHE_TTL", "how long a token that was revoked may still read; 0: not at all",
			5*time.Second, 0, time.Hour),
		Redis: r.redis("AUTH_REDIS_URL", "the Redis where Django keeps tokens, and where rate limits are counted "+
			"(`redis://` or `rediss://`)"),
		RedisPrefix: r.string("KEY_PREFIX_REDIS", "what its keys begin with", ":1:"),
		Secret: r.get("DJANGO_SECRET_KEY", "Django's `SECRET_KEY`, by which tokens in Redis are found and those of "+
			"guests checked: without it neither count", ""),
		Iterations: r.int("AUTH_TOKEN_ITERATIONS", "rounds of PBKDF2, as in Django's settings; each wrong token costs them",
			1, 1, maxIterations),
		JWT: r.jwt(),
	}
	if u := r.pythonURL("BACKEND_PRIVATE_URL",
		"the backend that knows who may see which file; without, grants decide"); u != nil {
		backend = strings.TrimRight(u.String(), "/")
	}
	a.MayCrossAccounts = r.bool("BACKEND_MAY_CROSS_ACCOUNTS",
		"the backend is asked about files of other accounts, too, and may open "+
			"them, as with the Python service; see [MIGRATING.md](MIGRATING.md)", false)
	// Without a backend, Redis may be used for rate limits alone.
	if a.Redis != "" && a.Secret == "" && backend != "" {
		r.fault("DJANGO_SECRET_KEY", "is needed with AUTH_REDIS_URL and BACKEND_PRIVATE_URL: the keys in Redis are made "+
			"from it")
	}
	if a.JWT != nil && a.Secret != "" && a.JWT.Secret == a.Secret {
		r.fault("AUTH_JWT_SECRET", "must be another one than DJANGO_SECRET_KEY, or tokens of one kind pass for the other")
	}
	return a, backend
}

// minSecret is the minimum length of a key for HMAC-SHA256, in characters (RFC 7518, 3.2).
const minSecret = 32

func (r *reader) jwt() *JWT {
	keys := r.httpURL("AUTH_JWKS_URL", "signed tokens (JWT) count: of the provider with these keys (RS256, ES256, EdDSA)")
	s := &JWT{
		Secret: r.get("AUTH_JWT_SECRET", "or with this secret (HS256) of 32 characters or more", ""),
		Issuer: r.get("AUTH_JWT_ISSUER", "what their `iss` has to be", ""),
		Audience: r.get("AUTH_JWT_AUDIENCE", "what their `aud` has to be; set both, or tokens that the provider made "+
			"for others count too", ""),
		UserClaim:    r.string("AUTH_JWT_USER_CLAIM", "which claim names the user, as a number or digits", "user_id"),
		AccountClaim: r.string("AUTH_JWT_ACCOUNT_CLAIM", "and which the account", "account_id"),
		GroupsClaim:  r.string("AUTH_JWT_GROUPS_CLAIM", "and which the groups", "groups"),
	}
	if keys != nil {
		s.KeysURL = keys.String()
	}
	if s.Secret != "" && len(s.Secret) < minSecret {
		r.fault("AUTH_JWT_SECRET", "must have at least 32 characters")
	}
	if s.KeysURL == "" && s.Secret == "" {
		return nil
	}
	return s
}
