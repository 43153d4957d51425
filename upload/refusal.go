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

// noteRefusal notes why a direct upload has ended, for a client that got no answer from the request that ended it.
func (e *Engine) noteRefusal(ctx context.Context, id file.ID, why error) {
	for name, reason := range refusals() {
		if !errors.Is(why, reason) {
			continue
		}
		if err := e.rows.SetRefusal(context.WithoutCancel(ctx), id, name); err != nil {
			e.log.WarnContext(ctx, "why an upload was refused could not be noted", "upload", id, "reason", name,
				"error", err)
		}
		return
	}
}

// Ended is the error for an upload that has ended: why its content was refused, or file.ErrNotFound. The reason is
// known for an hour, as long as the row is kept.
func (e *Engine) Ended(ctx context.Context, id file.ID) error {
	name, err := e.rows.Refusal(ctx, id)
	if reason, known := refusals()[name]; err == nil && known {
		return fmt.Errorf("upload %s was ended: %w", id, reason)
	}
	return file.NotFound(id)
}
