package upload

import (
	"context"
	"errors"
	"fmt"

	"holdfast/file"
)

// refusals are the reasons for which the content of an upload is refused, by their names in the database.
func refusals() map[string]error {
	return map[string]error{"digest": file.ErrDigest, "infected": file.ErrInfected, "unscannable": file.ErrUnscannable,
		"lost": file.ErrLost}
}

// refusalName is the name of the reason in an error; empty: it is no refusal of content.
func refusalName(why error) string {
	for name, reason := range refusals() {
		if errors.Is(why, reason) {
			return name
		}
	}
	return ""
}

// Ended is the error for an upload that has ended: why its content was refused, or file.ErrNotFound. The reason is
// known for an hour, as long as the row is kept. The other errors are the database's.
func (e *Engine) Ended(ctx context.Context, id file.ID) error {
	name, err := e.rows.Refusal(ctx, id)
	if err != nil {
		return err
	}
	if reason, known := refusals()[name]; known {
		return fmt.Errorf("upload %s was ended: %w", id, reason)
	}
	return file.NotFound(id)
}
