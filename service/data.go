package service

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"holdfast/config"
	"holdfast/internal/filelock"
	"holdfast/storage/disk"
	"holdfast/upload"
)

// lockData creates the data folder, and locks it against other processes: by a lock on the folder, and by one on a
// file in it, which earlier versions check. If the file is removed, the other lock stays.
func (p *Dependencies) lockData(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, lock := range []func() (func(), error){
		func() (func(), error) { return filelock.TryFolder(dir) },
		func() (func(), error) { return filelock.Try(filepath.Join(dir, "lock")) },
	} {
		unlock, err := lock()
		if err != nil {
			return err
		}
		p.closers = append(p.closers, func() error { unlock(); return nil })
	}
	return nil
}

// othersMayWrite is the permission of every user of the machine to write to a folder.
const othersMayWrite fs.FileMode = 0o002

// warnOfMode warns if every user of the machine may remove and replace what is in the data folder.
func warnOfMode(dir string, log *slog.Logger) {
	if info, err := os.Stat(dir); err == nil && info.Mode()&othersMayWrite != 0 {
		log.Warn("every user of this machine may remove and replace the database and the files: take that right away with "+
			"chmod o-w", "folder", dir, "mode", info.Mode().String())
	}
}

// openEmbedded opens the embedded store, if it is the database's, and stores its identity in the database. accept
// takes whatever store is there, or none, as the database's.
func (p *Dependencies) openEmbedded(ctx context.Context, c config.Config, accept bool) error {
	if p.Disk == nil { // a command's
		p.Disk = disk.NewReserve(c.DataDir, c.MinFreeSpace)
	}
	identity, used, err := p.Rows.StoreIdentity(ctx)
	if err != nil {
		return err
	}
	embedded, err := disk.Open(ctx, c.DataDir, disk.Options{NoFlush: !c.EmbeddedSync, Reserve: p.Disk,
		Database: &disk.Database{Identity: identity, Used: used}, Accept: accept, Largest: upload.PartSize(c.MaxFileSize),
		ReadOnly: p.readOnly})
	if err != nil {
		return err
	}
	p.Objects = embedded
	p.closers = append(p.closers, embedded.Close)
	if p.readOnly {
		return nil
	}
	return p.Rows.NoteStore(ctx, embedded.Identity())
}

// AcceptStore accepts the embedded store in the data folder, or an empty one, as the database's.
func AcceptStore(ctx context.Context, c config.Config) error {
	p := &Dependencies{}
	err := p.openData(ctx, c)
	if err == nil {
		err = p.openEmbedded(ctx, c, true)
	}
	if closed := p.Close(); err == nil {
		err = closed
	}
	return err
}
