package service

import (
	"context"
	"log/slog"
	"time"

	"holdfast/config"
	"holdfast/db"
	"holdfast/events"
	"holdfast/reconcile"
	"holdfast/storage"
	"holdfast/storage/disk"
)

// inBackground runs work until the returned function is called, which waits for its end. It goes on after the end of
// ctx: requests still run then.
func inBackground(ctx context.Context, work func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { defer close(done); work(ctx) }()
	return func() { cancel(); <-done }
}

// startWebhooks delivers events to WEBHOOK_URL. It passes the sender to show. The returned function stops the delivery
// and waits for its end.
func startWebhooks(ctx context.Context, c config.Config, rows *db.DB, show func(*events.Sender),
	log *slog.Logger) (stop func(), err error) {
	if c.Events.URL == "" {
		return func() {}, nil
	}
	sender, err := events.NewSender(c.Events.URL, c.Events.Secret, c.Proxies.For)
	if err != nil {
		return nil, err
	}
	show(sender)
	return inBackground(ctx, func(ctx context.Context) { sender.Run(ctx, rows, log) }), nil
}

// NewChecker returns a checker that compares the database of p with its store.
func NewChecker(c config.Config, p *Dependencies) *reconcile.Checker {
	return &reconcile.Checker{Rows: p.Rows, Objects: p.Objects,
		Layout:  storage.Layout{BucketPrefix: c.Storage.BucketPrefix},
		Options: reconcile.Options{Now: time.Now}}
}

// sweepLeftovers removes, in the background and in small steps, what uploads have left behind. The returned function
// stops it and waits for its end.
func sweepLeftovers(ctx context.Context, c config.Config, p *Dependencies, metrics *reconcile.Metrics,
	log *slog.Logger) (stop func()) {
	check := NewChecker(c, p)
	check.Fix, check.Metrics = true, metrics
	return inBackground(ctx, func(ctx context.Context) { check.Sweep(ctx, p.Rows, sweepInterval, log) })
}

// storeSweepInterval is how often removals in the embedded store that have failed are tried again.
const storeSweepInterval = 10 * time.Minute

// sweepStore retries, in the background, removals in the embedded store that have failed. The returned function stops
// it and waits for its end.
func sweepStore(ctx context.Context, p *Dependencies, every time.Duration, log *slog.Logger) (stop func()) {
	embedded, ok := p.Objects.(*disk.Store)
	if !ok {
		return func() {}
	}
	return inBackground(ctx, func(ctx context.Context) {
		turn := time.NewTicker(every)
		defer turn.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-turn.C:
			}
			if err := embedded.Sweep(ctx); err != nil && ctx.Err() == nil {
				log.Warn("what was deleted could not be removed from the embedded store yet", "error", err)
			}
		}
	})
}
