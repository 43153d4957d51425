//go:build unix

package cli

import (
	"fmt"
	"time"

	"holdfast/db"
	"holdfast/file"
)

type eventsCommands struct {
	List   eventsListCommand   `cmd:"" help:"List events that were given up after three days."`
	Resend eventsResendCommand `cmd:"" help:"Send events again that were given up."`
}

type eventsListCommand struct {
	Waiting bool `help:"List events that wait for delivery instead."`
	Limit   int  `default:"100" help:"Largest number of events."`
}

type eventsResendCommand struct {
	File string `arg:"" optional:"" help:"Only events of the file with this id."`
}

// Run prints events that were given up, or that wait, oldest first.
func (c *eventsListCommand) Run(p *program) error {
	var wrong error
	if c.Limit < 1 {
		wrong = wrongArguments("--limit must be a positive number")
	}
	return p.withDatabase(wrong, func(rows *db.DB) error {
		events, err := rows.Events(p.ctx, !c.Waiting, c.Limit)
		if err != nil {
			return err
		}
		t := newTable(p.stdout)
		t.row("FILE", "EVENT", "SINCE", "TRIES", "LAST REASON")
		for _, e := range events {
			t.row(e.File, e.Kind, e.Created.Format(time.RFC3339), e.Tries, e.Reason)
		}
		return t.flush()
	})
}

// Run has events delivered again.
func (c *eventsResendCommand) Run(p *program) error {
	return p.withDatabase(nil, func(rows *db.DB) error {
		n, err := rows.ResendEvents(p.ctx, file.ID(c.File))
		if err == nil {
			_, err = fmt.Fprintf(p.stdout, "%d events will be sent again\n", n)
		}
		return err
	})
}
