package db

import (
	"context"
	"fmt"

	"holdfast/file"
)

// CopyTo writes a SQLite database, as it is at one moment, into a new file at path. Other
// processes may read and write it meanwhile. The file is not flushed.
func (d *DB) CopyTo(ctx context.Context, path string) error {
	if d.Shared() {
		return fmt.Errorf("copy the database: %w: PostgreSQL has programs of its own for that", file.ErrInvalid)
	}
	_, err := d.sql.DB.ExecContext(ctx, `vacuum into $1`, path)
	return wrap("copy the database", err)
}
