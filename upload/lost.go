package upload

import (
	"context"
	"errors"
	"fmt"

	"holdfast/file"
	"holdfast/storage"
)

// unreadable makes an error of reading committed bytes a file.ErrLost if the store is sure that they are gone or
// changed, and else a file.ErrStorageRead: there may be another store behind the address, or none.
func unreadable(err error) error {
	switch {
	case errors.Is(err, file.ErrLost):
		return err
	case errors.Is(err, file.ErrObjectMissing) && !errors.Is(err, storage.ErrNoBucket):
		return fmt.Errorf("%w: %s", file.ErrLost, err.Error())
	}
	return fmt.Errorf("%w: %w", file.ErrStorageRead, notMissing(err))
}

// notMissing hides from errors.Is that an object is missing: to clients that would be a 404.
func notMissing(err error) error {
	if errors.Is(err, file.ErrObjectMissing) {
		return errors.New(err.Error())
	}
	return err
}

// endLost ends an upload of which the store has lost bytes: no request can go on with it. err is the error of what was
// done with it; others are returned as they are.
func (e *Engine) endLost(ctx context.Context, u *file.Upload, err error) error {
	if !errors.Is(err, file.ErrLost) || u.State == file.Deleted {
		return err
	}
	if failed := e.terminate(ctx, u, err); failed != nil {
		return fmt.Errorf("end an upload that has lost bytes: %w", failed)
	}
	e.metrics.lost.Inc()
	e.log.ErrorContext(ctx, "the store has lost bytes of an upload, which was ended", "upload", u.ID, "account",
		u.Creator.AccountID, "user", u.Creator.UserID, "error", err)
	return file.Refuse(file.ErrLost, "Bytes that were stored before offset %d are gone or damaged", u.Offset)
}

// isDamaged reports whether an upload could not be completed because the store has lost or changed parts of it. A store
// that only refuses the parts is asked which ones it has.
func (e *Engine) isDamaged(ctx context.Context, u *file.Upload, parts []file.Part, err error) bool {
	if !errors.Is(err, storage.ErrPartChanged) {
		return errors.Is(err, storage.ErrDamaged)
	}
	unseen := make(map[int32]string, len(parts)) // tags by number
	for _, p := range parts {
		unseen[p.Number] = p.ETag
	}
	for after := int32(0); ; {
		page, listErr := e.objects.Parts(ctx, u.Location, u.Multipart, after)
		if listErr != nil || len(page) == 0 {
			return listErr == nil && len(unseen) > 0
		}
		for _, p := range page {
			if p.Number <= after { // such a list may never end, and says nothing
				return false
			}
			if after = p.Number; unseen[p.Number] == p.ETag {
				delete(unseen, p.Number)
			}
		}
	}
}
