package service

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"holdfast/access"
	"holdfast/auth"
	"holdfast/config"
	"holdfast/db"
	"holdfast/file"
	"holdfast/limit"
)

// openRedis prepares the lookup of tokens in Redis, if it is set. It does not wait for Redis: users with tokens there
// are authenticated as soon as it can be reached.
func (p *Dependencies) openRedis(c config.Auth) (err error) {
	if c.Redis == "" {
		return nil
	}
	if c.Secret == "" {
		p.log.Warn("tokens in Redis are not accepted without DJANGO_SECRET_KEY; Redis is used for rate limits only")
		return nil
	}
	p.redis, err = auth.OpenRedis(auth.RedisOptions{URL: c.Redis, Prefix: c.RedisPrefix, Secret: c.Secret,
		Iterations: c.Iterations})
	if err != nil {
		return err
	}
	p.closers = append(p.closers, p.redis.Close)
	return nil
}

// openCallers returns what finds out who calls, and what counts callers.
func openCallers(ctx context.Context, c config.Config, p *Dependencies, spans *traces) (*auth.Authenticator,
	*limit.Limits, error) {
	limits, err := openLimits(c, p, spans)
	if err != nil {
		return nil, nil, err
	}
	key, err := storedKey(ctx, p.Rows, "visitor key")
	if err != nil {
		return nil, nil, err
	}
	return newAuthenticator(c.Auth, p, limits, visitors(c.TrustedProxies, key)), limits, nil
}

// newAuthenticator returns an authenticator for local tokens and those of every other source that is set.
func newAuthenticator(c config.Auth, p *Dependencies, limits *limit.Limits,
	visitor func(*http.Request, file.Identity) string) *auth.Authenticator {
	o := auth.Options{Local: p.Rows, Redis: p.redis, Guests: []byte(c.Secret), CacheTTL: c.CacheTTL, Visitor: visitor}
	if t := c.JWT; t != nil {
		o.Signed = auth.NewSigned(auth.SignedOptions{KeysURL: t.KeysURL, Secret: []byte(t.Secret), Issuer: t.Issuer,
			Audience:  t.Audience,
			UserClaim: t.UserClaim, AccountClaim: t.AccountClaim, GroupsClaim: t.GroupsClaim})
	}
	if limits != nil {
		o.Guard = limits.Token
	}
	return auth.New(o)
}

// visitors names the visitors of forms as limit.Proxies does, by an HMAC: their rows must not tell their addresses.
func visitors(proxies limit.Proxies, key []byte) func(*http.Request, file.Identity) string {
	return func(r *http.Request, who file.Identity) string {
		name := proxies.Visitor(r, who)
		if name == "" {
			return ""
		}
		sum := hmac.New(sha256.New, key)
		sum.Write([]byte(name))
		return hex.EncodeToString(sum.Sum(nil)[:16])
	}
}

// storedKey returns the key of this name in the database, which the first replica that needs it creates.
func storedKey(ctx context.Context, rows *db.DB, name string) ([]byte, error) {
	fresh := make([]byte, 32)
	rand.Read(fresh)
	return rows.Secret(ctx, name, fresh)
}

// newDecider returns a decider that uses the grants in the database and, if there is one, the backend.
func (p *Dependencies) newDecider(c config.Config, links *auth.Links, spans *traces) *access.Decider {
	if c.Backend == "" {
		return access.New(p.Rows, links, nil, c.CacheTTL)
	}
	backend := access.NewBackend(c.Backend)
	if spans != nil {
		backend.Trace(spans.provider)
	}
	p.closers = append(p.closers, func() error { backend.Close(); return nil })
	d := access.New(p.Rows, links, backend, c.CacheTTL)
	d.CrossAccounts = c.Auth.MayCrossAccounts
	return d
}
