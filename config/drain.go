package config

import "time"

// Drain is how the service stops: for Delay it serves on, not ready; then running requests
// have Timeout.
type Drain struct{ Delay, Timeout time.Duration }

func (r *reader) drain() Drain {
	return Drain{
		Delay:   r.timeFrom("DRAIN_DELAY", 0, 0, time.Hour),
		Timeout: r.duration("DRAIN_TIMEOUT", 10*time.Second, time.Hour),
	}
}
