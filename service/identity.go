package service

import (
	"holdfast/access"
	"holdfast/auth"
	"holdfast/config"
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

// newAuthenticator returns an authenticator for local tokens and those of every other source that is set.
func newAuthenticator(c config.Auth, p *Dependencies, limits *limit.Limits) *auth.Authenticator {
	o := auth.Options{Local: p.Rows, Redis: p.redis, Guests: []byte(c.Secret), CacheTTL: c.CacheTTL}
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
