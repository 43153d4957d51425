//go:build unix

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"holdfast/config"
	"holdfast/db"
	"holdfast/file"
	"holdfast/service"
	"holdfast/storage/disk"
)

func newBackup(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FOLDER",
		Short: "Copy the embedded default's data folder while the service runs.",
		Long: `Copy the embedded default's data folder while the service runs.

FOLDER does not exist yet. On the file system of DATA_DIR the copy takes next to
no space, since it shares its files.`,
		Args: arguments(1, 1),
		RunE: func(_ *cobra.Command, args []string) error { return backup(p, args[0]) },
	}
}

// backup copies the data folder of the embedded default while the service runs. The copy is a data folder, too.
func backup(p *program, folder string) (err error) {
	c, err := p.settings()
	if err != nil {
		return err
	}
	to, err := backupFolder(c, folder)
	if err != nil {
		return err
	}
	parts, err := service.OpenToRead(p.ctx, c, p.log(c))
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	// Renamed at the end: an incomplete backup never has the final name.
	half, err := os.MkdirTemp(filepath.Dir(to), filepath.Base(to)+".part-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(half)
	var missing int
	for _, step := range []func() error{
		func() error { return copyData(p.ctx, parts.Rows, c.DataDir, half) },
		func() (err error) { missing, err = checkCopy(p, c, half); return err },
		func() error { return disk.FlushFolder(half) },
		func() error { return os.Rename(half, to) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
	}
	if _, err = fmt.Fprintln(p.stdout, to); err == nil && missing > 0 {
		err = fmt.Errorf("backup: %d records have no object: the service has none either, holdfast reconcile names them",
			missing)
	}
	return err
}

// backupFolder returns the path of a backup that may be made.
func backupFolder(c config.Config, folder string) (to string, err error) {
	if c.Postgres != nil || c.Storage.Type != config.Embedded {
		return "", wrongArguments("backup is for SQLite with the embedded store; docs/OPERATIONS.md says how servers are " +
			"backed up")
	}
	if to, err = filepath.Abs(folder); err != nil {
		return "", err
	}
	if _, err := os.Lstat(to); !errors.Is(err, os.ErrNotExist) {
		return "", wrongArguments("%s is there already", to)
	}
	own, err := disk.OwnFolder(c.DataDir, to)
	if err == nil && own != "" {
		err = wrongArguments("%s is in %s, which is the store's own folder", to, own)
	}
	return to, err
}

// copyData copies the database and the store as they are at one moment. Until all is copied, nothing that the copied
// database names is removed, and no parts that it names become an object: see disk.Hold. The service goes on
// meanwhile, and removes things afterwards.
func copyData(ctx context.Context, rows *db.DB, from, to string) error {
	hold, err := disk.BeginHold(ctx, from)
	if err != nil {
		return err
	}
	defer hold.Release()
	// To keep the hold short, this copies to a folder on the same file system, where files are shared.
	near, err := disk.Near(from, to)
	if err != nil {
		return err
	}
	defer near.Remove()
	if err := rows.CopyTo(ctx, filepath.Join(to, service.DatabaseFile)); err != nil {
		return err
	}
	if err := disk.CopyParts(ctx, from, near.Path); err != nil {
		return err
	}
	hold.ReleaseParts()
	if err := disk.CopyObjects(ctx, from, near.Path); err != nil {
		return err
	}
	if near.Path == to {
		return nil
	}
	hold.Release()
	return disk.CopyObjects(ctx, near.Path, to)
}

// checkCopy checks a copied data folder: its database, and that its store is the database's. It counts the records
// whose object is missing or incomplete, as it is at the source; if the source has the object, that is an error.
func checkCopy(p *program, source config.Config, folder string) (missing int, err error) {
	c := source
	c.DataDir = folder
	parts, err := service.OpenToRead(p.ctx, c, p.log(c))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	if err := parts.Rows.Check(p.ctx); err != nil {
		return 0, err
	}
	err = eachFile(p.ctx, parts.Rows, func(r file.Record) error {
		if r.ETag == "" { // another program's record, not completed yet
			return nil
		}
		err := disk.ObjectIn(folder, r.Location, r.Size)
		if !errors.Is(err, file.ErrObjectMissing) {
			return err
		}
		missing++
		if disk.ObjectIn(source.DataDir, r.Location, r.Size) == nil {
			return fmt.Errorf("the object of the file %s was not copied, and the service has it: make the backup again", r.ID)
		}
		return nil
	})
	return missing, err
}

// eachFile calls do for the record of every file.
func eachFile(ctx context.Context, rows *db.DB, do func(file.Record) error) error {
	const page = 500
	for account := int64(0); ; {
		accounts, err := rows.Accounts(ctx, account, 1)
		if err != nil || len(accounts) == 0 {
			return err
		}
		account = accounts[0]
		for after := file.ID(""); ; {
			files, err := rows.AccountFiles(ctx, account, after, page)
			if err != nil {
				return err
			}
			for _, r := range files {
				if err := do(r); err != nil {
					return err
				}
				after = r.ID
			}
			if len(files) < page {
				break
			}
		}
	}
}
