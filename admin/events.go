package admin

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"holdfast/file"
)

// EventRows keeps what was not told in SQL.
type EventRows interface {
	Events(ctx context.Context, dead bool, limit int) ([]file.Event, error)
}

// ListEvents prints events that were given up, or that wait, oldest first and at most limit.
func ListEvents(ctx context.Context, rows EventRows, w io.Writer, dead bool, limit int) error {
	events, err := rows.Events(ctx, dead, limit)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FILE\tEVENT\tSINCE\tTRIES\tLAST REASON")
	for _, e := range events {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\n", e.File, e.Kind, e.Created.Format(time.RFC3339), e.Tries, e.Reason)
	}
	return t.Flush()
}
