package config

import "time"

// Drain is how the service stops: it serves on for Delay but reports that it is not ready; then running requests
// have Timeout to finish.
type Drain struct{ Delay, Timeout time.Duration }

func (r *reader) drain() Drain {
	return Drain{
		Delay: r.timeFrom("DRAIN_DELAY", "after SIGTERM, how long the service goes on serving while `/readyz` says "+
			"`stopping`, so that a load balancer takes notice first", 0, 0, time.Hour),
		Timeout: r.duration("DRAIN_TIMEOUT", "then, how long running requests have to end, before they are cut off",
			10*time.Second, time.Hour),
	}
}
