//go:build unix

package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"holdfast/db"
	"holdfast/file"
)

func newEvents(p *program) *cobra.Command {
	return parent("events", "Events that could not be delivered to WEBHOOK_URL.", newEventsList(p), newEventsResend(p))
}

func newEventsList(p *program) *cobra.Command {
	var waiting bool
	var limit int
	c := &cobra.Command{
		Use:   "list",
		Short: "List events that were given up after three days.",
		Args:  noArguments,
		RunE:  func(*cobra.Command, []string) error { return listEvents(p, waiting, limit) },
	}
	c.Flags().BoolVar(&waiting, "waiting", false, "List events that wait for delivery instead.")
	c.Flags().IntVar(&limit, "limit", 100, "Largest `NUMBER` of events.")
	return c
}

func newEventsResend(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "resend [FILE]",
		Short: "Send events again that were given up.",
		Long: `Send events again that were given up.

FILE is the id of a file: only its events are sent.`,
		Args: arguments(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			var of file.ID
			if len(args) > 0 {
				of = file.ID(args[0])
			}
			return resendEvents(p, of)
		},
	}
}

// listEvents prints events that were given up, or that wait, oldest first.
func listEvents(p *program, waiting bool, limit int) error {
	var wrong error
	if limit < 1 {
		wrong = wrongArguments("--limit must be a positive number")
	}
	return p.withDatabase(wrong, func(rows *db.DB) error {
		events, err := rows.Events(p.ctx, !waiting, limit)
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

// resendEvents has events delivered again: those of one file, or all.
func resendEvents(p *program, of file.ID) error {
	return p.withDatabase(nil, func(rows *db.DB) error {
		n, err := rows.ResendEvents(p.ctx, of)
		if err == nil {
			_, err = fmt.Fprintf(p.stdout, "%d events will be sent again\n", n)
		}
		return err
	})
}
