package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// CopyEmbedded brings a copy of what the embedded store keeps in one data folder into another
// one, while the store is in use. It adds what is new there and removes nothing.
//
// The gateway never writes into a file that has its name: it makes another and renames it. So
// a file can be shared (a hard link) where both folders are on one file system.
func CopyEmbedded(ctx context.Context, from, to string) error {
	// In this order: the metadata of an object is there before the object is.
	for _, name := range []string{"objects", "metadata"} {
		if err := copyTree(ctx, filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return fmt.Errorf("copy the embedded store: %w", err)
		}
	}
	return nil
}

// FlushFolder brings all that was written to a folder's file system onto the disk.
func FlushFolder(ctx context.Context, path string) error {
	f, err := newFlusher(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Flush(ctx), f.Close())
}

func copyTree(ctx context.Context, from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var rel string
		if err == nil {
			rel, err = filepath.Rel(from, path)
		}
		switch {
		case err != nil:
		case d.IsDir():
			err = os.MkdirAll(filepath.Join(to, settled(rel)), 0o700)
		case d.Type().IsRegular():
			err = share(path, filepath.Join(to, settled(rel)))
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed or renamed meanwhile
		}
		return err
	})
}

// settled is the path of a multipart upload that is not being completed at this moment: see
// recoverMultiparts. Both names may be seen, and are one.
func settled(path string) string {
	dir, rest := filepath.Split(path)
	if dir == "" {
		dir = "."
	} else {
		dir = settled(filepath.Clean(dir))
	}
	if strings.HasSuffix(rest, inProgress) && strings.Contains(dir, filepath.Join(".sgwtmp", "multipart")) {
		rest, _, _ = strings.Cut(rest, ".")
	}
	return filepath.Join(dir, rest)
}

// share makes to the same file as from, or a copy of it.
func share(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if was, err := os.Lstat(to); err == nil {
		if os.SameFile(info, was) || was.Size() == info.Size() && was.ModTime().Equal(info.ModTime()) {
			return nil
		}
		// Another one has taken its name since.
		if err := os.Remove(to); err != nil {
			return err
		}
	}
	if err := os.Link(from, to); err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return duplicate(from, to, info)
}

func duplicate(from, to string, info fs.FileInfo) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err = errors.Join(err, dst.Close()); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}
