package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"holdfast/admin"
	"holdfast/config"
	"holdfast/db"
	"holdfast/events"
	"holdfast/file"
	"holdfast/hooks"
	"holdfast/scan"
	"holdfast/storage"
)

type eventsArgs struct {
	List struct {
		Waiting bool `help:"Those that wait, not those that were given up."`
		Limit   int  `default:"100" help:"How many at most."`
	} `cmd:"" help:"List events that were given up after three days."`
	Resend struct {
		File string `arg:"" optional:"" help:"Id of a file; without it: of all."`
	} `cmd:"" help:"Have events that were given up sent again."`
}

func runEvents(ctx context.Context, c config.Config, args *eventsArgs, command string, stdout io.Writer) error {
	if command == "events list" && args.List.Limit < 1 {
		return fmt.Errorf("%w: --limit must be a positive number", errMisused)
	}
	rows, err := openDatabase(ctx, c)
	if err != nil {
		return err
	}
	defer rows.Close()
	if command == "events list" {
		return admin.ListEvents(ctx, rows, stdout, !args.List.Waiting, args.List.Limit)
	}
	n, err := rows.ResendEvents(ctx, file.ID(args.Resend.File))
	if err == nil {
		_, err = fmt.Fprintf(stdout, "%d events will be sent again\n", n)
	}
	return err
}

// tellEvents tells WEBHOOK_URL what happens; show is given who does. The function that is returned ends it and waits
// for that.
func tellEvents(ctx context.Context, c config.Config, rows *db.DB, show func(*events.Sender), log *slog.Logger) (stop func(), err error) {
	if c.Events.URL == "" {
		return func() {}, nil
	}
	sender, err := events.NewSender(c.Events.URL, c.Events.Secret)
	if err != nil {
		return nil, err
	}
	show(sender)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { defer close(done); sender.Run(ctx, rows, log) }()
	return func() { cancel(); <-done }, nil
}

// outside has PRE_CREATE_URL and clamd take part in the life of an upload, where they are set.
func outside(c config.Config, objects *storage.Client, spans *traces, s *hooks.Settings) error {
	if c.Events.PreCreate != "" {
		sender, err := events.NewSender(c.Events.PreCreate, c.Events.Secret)
		if err != nil {
			return err
		}
		if spans != nil {
			sender.Trace(spans.provider)
		}
		s.Ask = func(ctx context.Context, who file.Identity, n hooks.Creation) (name, contentType string, err error) {
			return sender.Ask(ctx, events.Beginning{AccountID: who.AccountID, UserID: who.UserID, Name: n.Name, Type: n.Type,
				Size: n.Size, Deferred: n.Deferred, Metadata: n.Metadata})
		}
	}
	if c.Events.Clamd != "" {
		clamd := scan.New(c.Events.Clamd)
		s.Scan = func(ctx context.Context, u *file.Upload) error {
			body, err := objects.Open(ctx, u.Location, u.ETag, 0, u.Size)
			if err != nil {
				return err
			}
			defer body.Close()
			return clamd.Scan(ctx, body)
		}
	}
	return nil
}
