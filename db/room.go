package db

import (
	"context"
	"errors"

	"holdfast/file"
)

// OnFull has relief called when SQLite finds its disk full: to make room, and to say whether there
// was any to be made. It is called before the database is used.
func (d *DB) OnFull(relief func() bool) { d.relief = relief }

// withRoom does what writes, and once more if the disk was full and there is room now: to delete
// something takes some, too, and who can't delete can't make room.
func (d *DB) withRoom(ctx context.Context, do func() error) error {
	err := do()
	if !errors.Is(err, file.ErrNoSpace) || d.Shared() {
		return err
	}
	// What the log of changes takes may be had again: it is written anew from its beginning.
	_, restarted := exec(ctx, d.write, "empty log", "pragma wal_checkpoint(truncate)")
	relieved := d.relief != nil && d.relief()
	if restarted != nil && !relieved {
		return err
	}
	return do()
}
