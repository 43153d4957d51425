package cli

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"holdfast/file"
)

type eventsCommands struct {
	List   eventsListCommand   `cmd:"" help:"List events that were given up after three days."`
	Resend eventsResendCommand `cmd:"" help:"Have events that were given up sent again."`
}

type eventsListCommand struct {
	Waiting bool `help:"Those that wait, not those that were given up."`
	Limit   int  `default:"100" help:"How many at most."`
}

type eventsResendCommand struct {
	File string `arg:"" optional:"" help:"Id of a file; without it: of all."`
}

// Run prints events that were given up, or that wait, oldest first.
func (c *eventsListCommand) Run(p *program) error {
	settings, err := p.settings()
	if err != nil {
		return err
	}
	if c.Limit < 1 {
		return wrongArguments("--limit must be a positive number")
	}
	rows, err := p.database(settings)
	if err != nil {
		return err
	}
	defer rows.Close()
	events, err := rows.Events(p.ctx, !c.Waiting, c.Limit)
	if err != nil {
		return err
	}
	return printEvents(p.stdout, events)
}

func printEvents(w io.Writer, events []file.Event) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FILE\tEVENT\tSINCE\tTRIES\tLAST REASON")
	for _, e := range events {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\n", e.File, e.Kind, e.Created.Format(time.RFC3339), e.Tries, e.Reason)
	}
	return t.Flush()
}

// Run has events sent again.
func (c *eventsResendCommand) Run(p *program) error {
	rows, err := p.openDatabase()
	if err != nil {
		return err
	}
	defer rows.Close()
	n, err := rows.ResendEvents(p.ctx, file.ID(c.File))
	if err == nil {
		_, err = fmt.Fprintf(p.stdout, "%d events will be sent again\n", n)
	}
	return err
}
