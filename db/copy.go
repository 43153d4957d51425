package db

import (
	"context"
	"fmt"
	"os"

	"holdfast/file"
)

// CopyTo writes a consistent copy of a SQLite database into a new file at path. Other processes may read and write
// the database meanwhile. The copy is not flushed to disk.
func (d *DB) CopyTo(ctx context.Context, path string) error {
	if d.Shared() {
		return fmt.Errorf("copy the database: %w: use PostgreSQL's own programs", file.ErrInvalid)
	}
	// SQLite accepts an existing empty file; a file that it creates itself would be readable by everybody.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	f.Close()
	_, err = d.sql.DB.ExecContext(ctx, `vacuum into $1`, path)
	return wrap(ctx, "copy the database", err)
}
