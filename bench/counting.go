package main

import (
	"context"
	"errors"
	"time"

	"holdfast/bench/report"
	"holdfast/bench/server"
)

// counted runs each row once more, with little load, through a proxy that counts the calls to the store.
func (l *lab) counted(ctx context.Context, chosen []row, result *report.Report) (err error) {
	if l.gateway == nil {
		return nil
	}
	calls, err := server.CountCalls(l.gateway.Endpoint)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, calls.Stop()) }()
	at := l.gateway.Access
	at.Endpoint = calls.URL
	c, err := l.start(ctx, l.holdfast, at, allPeers(chosen))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	few := l.load.counted()
	if err := c.warmUp(ctx, few); err != nil {
		return err
	}
	for i, r := range chosen {
		for _, name := range r.peers {
			var counts map[string]int
			p := c.peer(name)
			p.around = func(begin bool) error {
				if !begin {
					// Calls that a server makes after its answer belong to the row, too.
					time.Sleep(300 * time.Millisecond)
				}
				counts = calls.Take()
				return nil
			}
			m, err := c.once(ctx, r, few, p)
			if err != nil {
				return err
			}
			each := map[string]float64{}
			for kind, n := range counts {
				each[kind] = float64(n) / float64(max(m.Operations, 1))
			}
			result.Rows[i].Peer(name).Calls = each
		}
	}
	l.say("counted the calls to the store")
	return nil
}
