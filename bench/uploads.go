package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"holdfast/bench/report"
)

// uploadStream sends one file in one PATCH; the direct peer puts it as one object.
func uploadStream(ctx context.Context, l load, p *peer) (report.Measured, error) {
	if p.server == nil {
		const key = "stream"
		m, err := p.time(func() error { return p.store.Put(ctx, p.bucket, key, l.content.Section(0, l.stream)) })
		m.Bytes, m.Operations = l.stream, 1
		if err != nil {
			return m, err
		}
		return m, p.checkObject(ctx, key, l.stream)
	}
	c, err := p.server.Dial(ctx)
	if err != nil {
		return report.Measured{}, err
	}
	defer c.Close()
	var path string
	m, err := p.time(func() (err error) {
		if path, err = p.create(c, l.stream); err != nil {
			return err
		}
		return p.server.Append(c, path, 0, l.content.Section(0, l.stream))
	})
	m.Bytes, m.Operations = l.stream, 1
	if err != nil {
		return m, err
	}
	return m, p.check(ctx, c, l, path, l.stream)
}

// uploadSeveral sends several files at once, each in one PATCH on a connection of its own.
func uploadSeveral(ctx context.Context, l load, p *peer) (report.Measured, error) {
	conns, hangUp, err := p.dial(ctx, l.files)
	if err != nil {
		return report.Measured{}, err
	}
	defer hangUp()
	paths := make([]string, l.files)
	m, err := p.time(func() error {
		var g errgroup.Group
		for i, c := range conns {
			g.Go(func() (err error) {
				if paths[i], err = p.create(c, l.file); err != nil {
					return err
				}
				return p.server.Append(c, paths[i], 0, l.content.Section(0, l.file))
			})
		}
		return g.Wait()
	})
	m.Bytes, m.Operations = l.file*int64(l.files), l.files
	for i := 0; i < l.files && err == nil; i++ {
		err = p.check(ctx, conns[i], l, paths[i], l.file)
	}
	return m, err
}

// uploadIn sends one file in PATCHes of this many bytes, as clients do behind a proxy that limits the length of a
// request.
func uploadIn(piece int64) func(context.Context, load, *peer) (report.Measured, error) {
	return func(ctx context.Context, l load, p *peer) (report.Measured, error) {
		c, err := p.server.Dial(ctx)
		if err != nil {
			return report.Measured{}, err
		}
		defer c.Close()
		path, err := p.create(c, l.file)
		if err != nil {
			return report.Measured{}, err
		}
		patches := 0
		m, err := p.time(func() error {
			for offset := int64(0); offset < l.file; offset += piece {
				if err := p.server.Append(c, path, offset, l.content.Section(offset, min(piece, l.file-offset))); err != nil {
					return fmt.Errorf("at offset %d: %w", offset, err)
				}
				patches++
			}
			return nil
		})
		m.Bytes, m.Operations = l.file, patches
		if err != nil {
			return m, err
		}
		return m, p.check(ctx, c, l, path, l.file)
	}
}
