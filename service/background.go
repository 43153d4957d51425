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
)

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
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { defer close(done); sender.Run(ctx, rows, log) }()
	return func() { cancel(); <-done }, nil
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
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		check := NewChecker(c, p)
		check.Fix, check.Metrics = true, metrics
		check.Sweep(ctx, p.Rows, sweepInterval, log)
	}()
	return func() { cancel(); <-done }
}
