package service

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/config"
	"holdfast/edge"
	"holdfast/file"
	"holdfast/storage/disk"
)

// probeInterval is how often /readyz tries at most whether the database and the embedded store can be written to.
const probeInterval = 5 * time.Second

// pingTimeout is how long a probe waits to see whether the dependency answers at all: less than /readyz waits.
const pingTimeout = 2 * time.Second

// probe keeps the result of a check for probeInterval. Nothing is checked while the dependency does not even answer
// ping: /readyz names it for that already.
type probe struct {
	ping, check func(context.Context) error

	mu   sync.Mutex
	last time.Time
	err  error
}

// Ping returns the last result, and checks again if that is old.
func (p *probe) Ping(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last.IsZero() || time.Since(p.last) >= probeInterval {
		p.err = p.try(ctx)
		p.last = time.Now()
	}
	return p.err
}

func (p *probe) try(ctx context.Context) error {
	soon, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if p.ping(soon) != nil {
		return nil
	}
	return p.check(ctx)
}

// probes are the checks that what the service needs can be written to. S3 stores are not written to: each object costs.
func (p *Dependencies) probes(c config.Config) (all []edge.Dependency) {
	if embedded, ok := p.Objects.(*disk.Store); ok {
		all = append(all, edge.Dependency{Name: "writing to the store", Ping: (&probe{
			ping: func(ctx context.Context) error { return embedded.Ping(ctx, "") }, check: embedded.Writable}).Ping})
	}
	check := p.Rows.Writable
	if !p.Rows.Shared() {
		check = func(context.Context) error { return folderIsWritable(c.DataDir) }
	}
	return append(all, edge.Dependency{Name: "writing to the database",
		Ping: (&probe{ping: p.Rows.Ping, check: check}).Ping})
}

// folderIsWritable asks the system whether the data folder can be written to: a write by SQLite would wait for others.
func folderIsWritable(dir string) error {
	if err := unix.Access(dir, unix.W_OK); err != nil {
		return fmt.Errorf("%w: write to %s: %w", file.ErrDatabase, dir, err)
	}
	return nil
}
