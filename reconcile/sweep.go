package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"holdfast/internal/chore"
)

// Chores hand work to one replica at a time. Package db says what each method does.
type Chores interface {
	chore.Rows
	ChorePlace(ctx context.Context, name string) (string, error)
	PlaceChore(ctx context.Context, name, holder, place string, ttl time.Duration) error
}

// leftovers is the name of the chore.
const leftovers = "leftovers"

// Sweep looks at one account every interval, in one replica at a time, until ctx ends. It counts the records that
// another program has written and, with Fix, removes what uploads have left over in the account's bucket.
func (c *Checker) Sweep(ctx context.Context, chores Chores, interval time.Duration, log *slog.Logger) {
	turn := chore.New(chores, leftovers, interval)
	turn.Every(ctx, interval, func(ctx context.Context) error {
		err := c.step(ctx, chores, turn.Holder, interval, log)
		c.Metrics.swept(ctx, err)
		return err
	}, log)
}

// step looks at the account after the last one. The place is noted first, so that a bucket that can't be read does not
// block the others. Before the first account comes the bucket of none, in which probes are made while there is no
// other.
func (c *Checker) step(ctx context.Context, chores Chores, holder string, interval time.Duration,
	log *slog.Logger) error {
	place, err := chores.ChorePlace(ctx, leftovers)
	if err != nil {
		return err
	}
	var before error
	if place == "" {
		before = c.removeLeftovers(ctx, noAccount, log)
	}
	last, _ := strconv.ParseInt(place, 10, 64) // empty: begin with the first
	ids, err := c.Rows.Accounts(ctx, last, 1)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return errors.Join(before, chores.PlaceChore(ctx, leftovers, holder, "", interval))
	}
	if err := chores.PlaceChore(ctx, leftovers, holder, strconv.FormatInt(ids[0], 10), interval); err != nil {
		return err
	}
	if err := c.Rows.CountNew(ctx, ids[0]); err != nil {
		return err
	}
	return errors.Join(before, c.removeLeftovers(ctx, ids[0], log))
}

// removeLeftovers removes what is certainly left over in the bucket of an account.
func (c *Checker) removeLeftovers(ctx context.Context, account int64, log *slog.Logger) error {
	return c.leftovers(ctx, account, func(ctx context.Context, f Finding) error {
		if f.young || f.Kind != LeftTail && f.Kind != LeftParts && f.Kind != LeftProbe {
			return nil // unknown objects are for an operator to judge
		}
		if err := c.repair(ctx, &f); err != nil || f.Done == "" {
			return err
		}
		if c.Metrics != nil {
			c.Metrics.removed.Inc()
		}
		log.Info("a leftover was removed", "kind", f.Kind, "file", f.ID, "detail", f.Detail)
		return nil
	})
}
