package auth

import "github.com/prometheus/client_golang/prometheus"

// Register adds the hits and misses of the token cache to r.
func (a *Authenticator) Register(r prometheus.Registerer) { a.cache.entries.Register(r, "tokens") }
