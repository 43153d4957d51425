package upload

import (
	"context"
	"errors"
	"fmt"

	"holdfast/file"
)

// refusal is a reason for which an upload is ended that its client did not end, and its name in the database.
type refusal struct {
	name   string
	reason error
}

// refusals are all of them. A lost upload is also a file.ErrGone, so it comes first.
func refusals() []refusal {
	return []refusal{{"digest", file.ErrDigest}, {"infected", file.ErrInfected}, {"unscannable", file.ErrUnscannable},
		{"lost", file.ErrLost}, {"expired", file.ErrGone}}
}

// refusalName is the name of the reason in an error; empty: it is none of them.
func refusalName(why error) string {
	for _, r := range refusals() {
		if errors.Is(why, r.reason) {
			return r.name
		}
	}
	return ""
}

// Ended is the error for an upload that has ended: why its content was refused, that it has expired, or
// file.ErrNotFound. The reason is known for an hour, as long as the row is kept. The other errors are the database's.
func (e *Engine) Ended(ctx context.Context, id file.ID) error {
	name, err := e.rows.Refusal(ctx, id)
	if err != nil {
		return err
	}
	for _, r := range refusals() {
		if r.name == name {
			return fmt.Errorf("upload %s was ended: %w", id, r.reason)
		}
	}
	return file.NotFound(id)
}
