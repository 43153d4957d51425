// Package chore runs background work on one replica at a time. The replica has a lease in SQL, which it renews
// while the work goes on, and which expires when the replica dies.
package chore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// ErrLost ends the work of a replica whose lease another replica has taken, or which could not renew it in time.
var ErrLost = errors.New("the lease on this chore was lost")

// Rows stores the leases in SQL; package db implements it.
type Rows interface {
	// TakeChore takes the lease of that name for ttl, or renews it; false if another holder has it.
	TakeChore(ctx context.Context, name, holder string, ttl time.Duration) (bool, error)
}

// Chore is work that only one replica does at a time.
type Chore struct {
	Name   string
	Holder string // tells this replica from others
	rows   Rows
	ttl    time.Duration
}

// New returns the chore of that name. Its lease expires ttl after it was last taken or renewed.
func New(rows Rows, name string, ttl time.Duration) *Chore {
	return &Chore{Name: name, Holder: rand.Text(), rows: rows, ttl: ttl}
}

func (c *Chore) take(ctx context.Context) (bool, error) {
	return c.rows.TakeChore(ctx, c.Name, c.Holder, c.ttl)
}

// Every calls work at every interval while this replica has the lease, until ctx ends. The lease is renewed between
// two calls once a quarter of it is over, so a call must end within three quarters. Errors are logged, and the work
// is tried again after the next interval.
func (c *Chore) Every(ctx context.Context, interval time.Duration, work func(context.Context) error, log *slog.Logger) {
	var mine bool
	var taken time.Time
	for ctx.Err() == nil {
		var err error
		if !mine || time.Since(taken) >= c.ttl/4 {
			taken = time.Now()
			mine, err = c.take(ctx)
		}
		pause := interval
		if mine {
			err = work(ctx)
		} else {
			pause = max(interval, c.ttl/4)
		}
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "background work failed", "chore", c.Name, "error", err)
		}
		sleep(ctx, pause)
	}
}

// Alone waits until this replica has the lease and runs work; the context of work ends with ErrLost if the lease is
// lost.
func (c *Chore) Alone(ctx context.Context, work func(context.Context) error) error {
	for {
		mine, err := c.take(ctx)
		if err != nil {
			return err
		}
		if mine {
			break
		}
		if sleep(ctx, time.Second); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go c.renew(ctx, cancel)
	if err := work(ctx); err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	_, err := c.rows.TakeChore(context.WithoutCancel(ctx), c.Name, c.Holder, 0) // the next replica need not wait
	return err
}

// renew keeps the lease until ctx ends.
func (c *Chore) renew(ctx context.Context, cancel context.CancelCauseFunc) {
	for last := time.Now(); ctx.Err() == nil; {
		mine, err := c.take(ctx)
		switch {
		case mine:
			last = time.Now()
		case err == nil, time.Since(last) > c.ttl*2/3:
			cancel(fmt.Errorf("%s: %w", c.Name, errors.Join(ErrLost, err)))
		}
		sleep(ctx, c.ttl/4)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
