package auth

import "github.com/prometheus/client_golang/prometheus"

// Register has r show the hits and misses of the token cache.
func (a *Authenticator) Register(r prometheus.Registerer) { a.cache.entries.Register(r, "tokens") }
