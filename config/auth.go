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
		CacheTTL: r.timeFrom("AUTH_CACHE_TTL",
			"how long an accepted token is cached for reading, so a revoked one may still read for this time; 0: not at all",
			5*time.Second, 0, time.Hour),
		Redis: r.redis("AUTH_REDIS_URL",
			"the Redis in which Django keeps tokens and in which rate limits are counted (`redis://` or `rediss://`). Of its "+
				"parameters `db` counts, and with TLS `skip_verify=true` or `ssl_cert_reqs=none`; those that tune other clients "+
				"do not"),
		RedisPrefix: r.string("KEY_PREFIX_REDIS", "the prefix of Django's keys in Redis", ":1:"),
		Secret: r.get("DJANGO_SECRET_KEY",
			"Django's `SECRET_KEY`: the keys of tokens in Redis are derived from it, and guests' tokens are signed with it. "+
				"Without it neither are accepted", ""),
		Iterations: r.int("AUTH_TOKEN_ITERATIONS",
			"rounds of PBKDF2, as in Django's settings; each wrong token costs as many",
			1, 1, maxIterations),
		JWT: r.jwt(),
	}
	if u := r.pythonURL("BACKEND_PRIVATE_URL",
		"the URL of the backend that decides who may read which file; without it, grants decide"); u != nil {
		backend = strings.TrimRight(u.String(), "/")
	}
	a.MayCrossAccounts = r.bool("BACKEND_MAY_CROSS_ACCOUNTS",
		"ask the backend about files of other accounts too, as the Python service did, and let it allow them. Off by "+
			"default: accounts are kept apart. See [MIGRATING.md](MIGRATING.md)", false)
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
	keys := r.httpURL("AUTH_JWKS_URL",
		"accept signed tokens (JWT) of the provider that publishes its keys at this URL (RS256, ES256, EdDSA)")
	s := &JWT{
		Secret: r.get("AUTH_JWT_SECRET", "accept signed tokens (JWT) with this secret (HS256), of 32 characters or more", ""),
		Issuer: r.get("AUTH_JWT_ISSUER", "the `iss` that signed tokens must have", ""),
		Audience: r.get("AUTH_JWT_AUDIENCE",
			"the `aud` that signed tokens must have. Set issuer and audience, or tokens that the provider made for other "+
				"services are accepted too", ""),
		UserClaim:    r.string("AUTH_JWT_USER_CLAIM", "the claim with the user's number, as a number or digits", "user_id"),
		AccountClaim: r.string("AUTH_JWT_ACCOUNT_CLAIM", "the claim with the account's number", "account_id"),
		GroupsClaim:  r.string("AUTH_JWT_GROUPS_CLAIM", "the claim with the user's groups", "groups"),
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
