package db

import (
	"context"
	"errors"
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

// ErrDamaged says that the file of a SQLite database is damaged.
var ErrDamaged = errors.New("the database is damaged (docs/OPERATIONS.md, \"A damaged database\", says how to go on)")

// Check reads the whole file of a SQLite database, with its indexes: ErrDamaged if it is not sound. PostgreSQL checks
// itself.
func (d *DB) Check(ctx context.Context) error {
	if d.Shared() {
		return nil
	}
	var found string
	err := d.sql.DB.QueryRowContext(ctx, `pragma integrity_check(1)`).Scan(&found)
	if err == nil && found != "ok" {
		err = fmt.Errorf("%w: %s", ErrDamaged, found)
	}
	return wrap(ctx, "check the database", err)
}
