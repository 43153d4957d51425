package service

import (
	"context"
	"errors"

	"holdfast/config"
	"holdfast/events"
	"holdfast/file"
	"holdfast/hooks"
	"holdfast/scan"
	"holdfast/storage"
	"holdfast/upload"
)

// addHooks adds the hooks of PRE_CREATE_URL and clamd, if they are set.
func addHooks(c config.Config, objects storage.Store, spans *traces, s *hooks.Settings) error {
	if c.Events.PreCreate != "" {
		sender, err := events.NewSender(c.Events.PreCreate, c.Events.Secret, c.Proxies.For)
		if err != nil {
			return err
		}
		if spans != nil {
			sender.Trace(spans.provider)
		}
		s.Ask = func(ctx context.Context, who file.Identity, n upload.Creation) (name, contentType string, err error) {
			return sender.Ask(ctx, events.Creation{AccountID: who.AccountID, UserID: who.UserID, Name: n.Name, Type: n.Type,
				Size: n.Size, Deferred: n.Deferred, Metadata: n.Metadata, Partial: n.Partial, Final: len(n.Sources) > 0})
		}
	}
	if c.Events.Clamd != "" {
		rules := c.Events.Scan
		clamd := scan.New(c.Events.Clamd, scan.Settings{MaxSize: rules.MaxSize, MaxTime: rules.MaxTime})
		s.Scan = func(ctx context.Context, u *file.Upload) error {
			body, err := objects.Open(ctx, u.Location, u.ETag, 0, u.Size)
			if err != nil {
				return err
			}
			defer body.Close()
			err = clamd.Scan(ctx, body, u.Size)
			if rules.AllowUnscannable && errors.Is(err, file.ErrUnscannable) {
				return nil
			}
			return err
		}
	}
	return nil
}
