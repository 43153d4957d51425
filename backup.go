package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"holdfast/config"
	"holdfast/storage"
)

type backupArgs struct {
	Folder string `arg:"" help:"A folder that does not exist yet. On the file system of DATA_DIR it takes next to no room, since files are shared."`
}

// runBackup copies the data folder of the embedded default beside the running service. What
// comes out is a data folder.
//
// Objects are copied before the database and after it. Those of a record that is deleted
// meanwhile are in the first copy; those of a record that is written meanwhile in the
// second: so each record in the copy has its object.
func runBackup(ctx context.Context, c config.Config, args backupArgs, stdout io.Writer) (err error) {
	if c.Postgres != nil || c.Storage.Type != config.Embedded {
		return fmt.Errorf("%w: backup is for SQLite with the embedded store; docs/OPERATIONS.md says how servers are backed up", errMisused)
	}
	to, err := filepath.Abs(args.Folder)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(to); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %s is there already", errMisused, to)
	}
	if _, err := os.Stat(filepath.Join(c.DataDir, databaseFile)); err != nil {
		return fmt.Errorf("nothing to back up: %w", err)
	}
	rows, err := openDatabase(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	// Named at the end: half a backup is none.
	half, err := os.MkdirTemp(filepath.Dir(to), filepath.Base(to)+".part-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(half)
	for _, step := range []func() error{
		func() error { return storage.CopyEmbedded(ctx, c.DataDir, half) },
		func() error { return rows.CopyTo(ctx, filepath.Join(half, databaseFile)) },
		func() error { return storage.CopyEmbedded(ctx, c.DataDir, half) },
		func() error { return storage.FlushFolder(ctx, half) },
		func() error { return os.Rename(half, to) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
	}
	_, err = fmt.Fprintln(stdout, to)
	return err
}
