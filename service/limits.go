package service

import (
	"holdfast/config"
	"holdfast/limit"
)

// openLimits returns the limits of the service, nil if they are off. Their connections are closed with p.
func openLimits(c config.Config, p *Dependencies, spans *traces) (*limit.Limits, error) {
	if !c.Limits.On {
		return nil, nil
	}
	var counter limit.Counter = limit.NewMemory()
	if c.Auth.Redis != "" {
		shared, err := limit.NewRedis(c.Auth.Redis, c.Limits.RedisTimeout, p.log)
		if err != nil {
			return nil, err
		}
		p.closers = append(p.closers, shared.Close)
		if spans != nil {
			shared.Trace(spans.provider)
		}
		counter = shared
	}
	return limit.New(counter, limit.Settings{
		Uploads: limit.Rate(c.Limits.Uploads), Downloads: limit.Rate(c.Limits.Downloads),
		Failures: limit.Rate(c.Limits.Failures),
		Proxies:  c.TrustedProxies,
	}), nil
}
