package main

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/bench/report"
	"holdfast/bench/tus"
)

// createSmall creates and uploads a small file with each request.
func createSmall(ctx context.Context, l load, p *peer) (report.Measured, error) {
	conns, hangUp, err := p.dial(ctx, l.connections)
	if err != nil {
		return report.Measured{}, err
	}
	defer hangUp()
	last := make([]string, l.connections)
	m, err := p.repeat(l, conns, func(i int, c *tus.Conn) (err error) {
		last[i], err = p.server.CreateWith(c, l.content.Section(0, l.small))
		return err
	})
	m.Bytes = l.small * int64(m.Operations)
	// Every answer's offset was compared; of the objects, one for each connection is compared.
	for i := 0; i < len(last) && err == nil; i++ {
		if last[i] != "" {
			err = p.check(ctx, conns[i], l, last[i], l.small)
		}
	}
	return m, err
}

// askUnfinished requests the offset of an upload of which the first mebibyte was sent. Each connection has an upload
// of its own, so that none waits for another's lock.
func askUnfinished(ctx context.Context, l load, p *peer) (report.Measured, error) {
	conns, hangUp, err := p.dial(ctx, l.connections)
	if err != nil {
		return report.Measured{}, err
	}
	defer hangUp()
	const first = 1 << 20
	paths := make([]string, l.connections)
	for i, c := range conns {
		if paths[i], err = p.create(c, 2*first); err != nil {
			return report.Measured{}, err
		}
		if err := p.server.Append(c, paths[i], 0, l.content.Section(0, first)); err != nil {
			return report.Measured{}, err
		}
	}
	return p.repeat(l, conns, func(i int, c *tus.Conn) error { return p.server.Head(c, paths[i], first) })
}

// repeat makes each connection send requests, one after the other, for as long as the load says.
func (p *peer) repeat(l load, conns []*tus.Conn, request func(i int, c *tus.Conn) error) (report.Measured, error) {
	var done atomic.Int64
	m, err := p.time(func() error {
		var g errgroup.Group
		end := time.Now().Add(l.lasting)
		for i, c := range conns {
			g.Go(func() error {
				for n := 0; time.Now().Before(end) && (l.requests == 0 || n < l.requests); n++ {
					if err := request(i, c); err != nil {
						return err
					}
					done.Add(1)
				}
				return nil
			})
		}
		return g.Wait()
	})
	m.Operations = int(done.Load())
	return m, err
}
