package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/bench/report"
	"holdfast/bench/tus"
)

const (
	// rangeLength is the length of the ranges that are requested, in bytes.
	rangeLength = 64 << 10
	// fetchBuffer is the size of a client's buffer, in bytes.
	fetchBuffer = 256 << 10
)

// fetcher downloads a section of what was stored, and compares every byte.
type fetcher func(i int, want *tus.Section, whole bool, buf []byte) error

// stored puts length bytes where the peer serves them, and returns a function that fetches them over n connections:
// with the SDK for the direct peer, from the server for others.
func (p *peer) stored(ctx context.Context, l load, length int64, n int) (fetch fetcher, hangUp func(), err error) {
	if p.server == nil {
		const key = "download"
		err := p.store.Put(ctx, p.bucket, key, l.content.Section(0, length))
		return func(_ int, want *tus.Section, _ bool, buf []byte) error {
			body, err := p.store.Get(ctx, p.bucket, key, want.Pos(), want.Len())
			if err != nil {
				return err
			}
			defer body.Close()
			return want.Compare(body, buf)
		}, func() {}, err
	}
	conns, hangUp, err := p.dial(ctx, n)
	if err != nil {
		return nil, nil, err
	}
	path, err := p.give(ctx, conns[0], l.content.Section(0, length))
	return func(i int, want *tus.Section, whole bool, buf []byte) error {
		return p.server.Fetch(conns[i], path, want, whole, buf)
	}, hangUp, err
}

// calm is how long a server is left alone between what it stores for a row and what is measured: the memory that it
// gives back by then is not the download's.
const calm = 2 * time.Second

// give stores content for the server to serve, and returns its path.
func (p *peer) give(ctx context.Context, c *tus.Conn, body *tus.Section) (path string, err error) {
	if key := p.server.Object; key != "" {
		return "/" + key, p.put(ctx, key, body)
	}
	if path, err = p.create(c, body.Len()); err != nil {
		return "", err
	}
	if err := p.server.Append(c, path, 0, body); err != nil {
		return "", err
	}
	time.Sleep(calm)
	return path, nil
}

// put stores an object for a server that has no uploads.
func (p *peer) put(ctx context.Context, key string, body *tus.Section) error {
	if p.store != nil {
		return p.store.Put(ctx, p.bucket, key, body)
	}
	f, err := os.Create(filepath.Join(p.server.Files, key))
	if err != nil {
		return err
	}
	_, err = body.WriteTo(f)
	return errors.Join(err, f.Close())
}

// downloadWhole downloads a long file in one request.
func downloadWhole(ctx context.Context, l load, p *peer) (report.Measured, error) {
	fetch, hangUp, err := p.stored(ctx, l, l.stream, 1)
	if hangUp != nil {
		defer hangUp()
	}
	if err != nil {
		return report.Measured{}, err
	}
	m, err := p.time(func() error { return fetch(0, l.content.Section(0, l.stream), true, make([]byte, fetchBuffer)) })
	m.Bytes, m.Operations = l.stream, 1
	return m, err
}

// downloadRanges requests ranges of a file at random positions.
func downloadRanges(ctx context.Context, l load, p *peer) (report.Measured, error) {
	fetch, hangUp, err := p.stored(ctx, l, l.file, l.connections)
	if hangUp != nil {
		defer hangUp()
	}
	if err != nil {
		return report.Measured{}, err
	}
	var done atomic.Int64
	m, err := p.time(func() error {
		var g errgroup.Group
		end := time.Now().Add(l.lasting)
		for i := range l.connections {
			g.Go(func() error {
				buf := make([]byte, rangeLength)
				for n := 0; time.Now().Before(end) && (l.requests == 0 || n < l.requests); n++ {
					if err := fetch(i, l.content.Section(rand.Int64N(l.file-rangeLength), rangeLength), false, buf); err != nil {
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
	m.Bytes = rangeLength * int64(m.Operations)
	return m, err
}
