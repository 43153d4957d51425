package disk

import (
	"context"
	"errors"
	"fmt"

	"holdfast/file"
)

// Writable writes a file, flushes it and removes it again: an error if that can't be done, because the file system is
// read-only now, the folder's permissions have changed, or the process may not write files as long as they get
// (ulimit -f). A full disk is no error: see Reserve.Check.
func (s *Store) Writable(ctx context.Context) error {
	if errors.Is(s.room.Check(), file.ErrNoSpace) {
		return nil
	}
	return s.call(ctx, "WriteProbe", "write to the embedded store", file.ErrStorageWrite, func(ctx context.Context) error {
		d, err := s.newDraft()
		if err != nil {
			return err
		}
		defer d.drop()
		if _, err := d.Write([]byte("probe")); err != nil {
			return err
		}
		if err := d.f.Truncate(s.largest); err != nil { // takes no room: nothing is written behind the first bytes
			return fmt.Errorf("a file of %d bytes: %w", s.largest, err)
		}
		return d.flush(ctx)
	})
}
