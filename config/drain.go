package config

import "time"

// Drain is how the service stops: it serves on for Delay but reports that it is not ready; then running requests
// have Timeout to finish.
type Drain struct{ Delay, Timeout time.Duration }

func (r *reader) drain() Drain {
	return Drain{
		Delay: r.timeFrom("DRAIN_DELAY",
			"how long the service keeps serving after SIGTERM while `/readyz` answers `stopping`, so that a load balancer "+
				"stops sending requests first", 0, 0, time.Hour),
		Timeout: r.duration("DRAIN_TIMEOUT", "how long running requests may take after that, before they are cut off",
			10*time.Second, time.Hour),
	}
}
