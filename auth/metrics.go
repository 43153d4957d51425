package auth

import (
	"github.com/prometheus/client_golang/prometheus"

	"holdfast/internal/cachemetrics"
)

// Register has r show how well tokens are remembered.
func (a *Authenticator) Register(r prometheus.Registerer) {
	if a.memory != nil {
		cachemetrics.Register(r, "tokens", a.memory.stats)
	}
}
