package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"holdfast/file"
)

// The two folders of the embedded store. Objects are copied before metadata, because the gateway writes an object's
// metadata before the object.
var trees = []string{"objects", "metadata"}

// CopyParts copies the parts of unfinished multipart uploads from one data folder to another, while the store is in
// use.
//
// The gateway never changes a file: it writes a new one and renames it into place. So a hard link is as good as a
// copy if both folders are on one file system.
func CopyParts(ctx context.Context, from, to string) error {
	// The gateway renames an upload while it completes it, and back if that fails: the first round may miss one. The
	// second does not, since by then no upload is being completed.
	for range 2 {
		for _, tree := range trees {
			found, err := fs.Glob(os.DirFS(from), filepath.Join(tree, "*", multiparts))
			if err != nil {
				return err
			}
			for _, rel := range found {
				if err := copyTree(ctx, from, to, filepath.Join(from, rel)); err != nil {
					return fmt.Errorf("copy the parts of uploads: %w", err)
				}
			}
		}
	}
	return nil
}

// CopyObjects copies the objects and everything else that the embedded store keeps from one data folder to another,
// while the store is in use. It adds files and removes none.
func CopyObjects(ctx context.Context, from, to string) error {
	for _, tree := range trees {
		if err := copyTree(ctx, from, to, filepath.Join(from, tree)); err != nil {
			return fmt.Errorf("copy the embedded store: %w", err)
		}
	}
	return nil
}

// ObjectIn looks for an object in the data folder, without a running store: file.ErrObjectMissing if there is none of
// this size.
func ObjectIn(dataDir string, at file.Location, size int64) error {
	info, err := os.Lstat(filepath.Join(dataDir, trees[0], at.Bucket, filepath.FromSlash(at.Key)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return file.ErrObjectMissing
	case err == nil && info.Size() != size:
		return fmt.Errorf("%w: %d of %d bytes", file.ErrObjectMissing, info.Size(), size)
	}
	return err
}

// FlushFolder flushes the file system of a folder to the disk.
func FlushFolder(ctx context.Context, path string) error {
	f, err := newFlusher(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Flush(ctx), f.Close())
}

// Where, in a bucket, the gateway keeps its own files, and among these the multipart uploads.
var (
	private    = ".sgwtmp"
	multiparts = filepath.Join(private, "multipart")
)

// copyTree copies the tree at path, which is in from, to the same place in to.
func copyTree(ctx context.Context, from, to, path string) error {
	return filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
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
		case filepath.Base(filepath.Dir(path)) == private: // a file that is being written
		case d.Type().IsRegular():
			err = share(path, filepath.Join(to, settled(rel)))
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed or renamed meanwhile
		}
		return err
	})
}

// settled is the path of a multipart upload as it is when the upload is not being completed: see recoverMultiparts. A
// backup may see both names of one upload.
func settled(path string) string {
	dir, rest := filepath.Split(path)
	if dir == "" {
		dir = "."
	} else {
		dir = settled(filepath.Clean(dir))
	}
	if strings.HasSuffix(rest, inProgress) && strings.Contains(dir, multiparts) {
		rest, _, _ = strings.Cut(rest, ".")
	}
	return filepath.Join(dir, rest)
}

// share makes to a hard link to from, or a copy of it.
func share(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if was, err := os.Lstat(to); err == nil {
		if os.SameFile(info, was) || was.Size() == info.Size() && was.ModTime().Equal(info.ModTime()) {
			return nil
		}
		// It was replaced since the last copy.
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

// Nearby is a folder on the file system of a data folder.
type Nearby struct {
	Path string
	own  bool
}

// stagePrefix is the prefix of the temporary folders of a backup in a data folder.
const stagePrefix = ".backup-stage-"

// Near returns a folder into which files of dataDir can be hard-linked: to itself, or else a temporary folder in
// dataDir; to if hard links do not work at all. The caller has a Hold on dataDir. What a killed backup has left is
// removed.
func Near(dataDir, to string) (Nearby, error) {
	if err := removeStages(dataDir); err != nil {
		return Nearby{}, err
	}
	if sharable(dataDir, to) {
		return Nearby{Path: to}, nil
	}
	path, err := os.MkdirTemp(dataDir, stagePrefix)
	if err == nil && !sharable(dataDir, path) {
		return Nearby{Path: to}, os.Remove(path)
	}
	return Nearby{path, true}, err
}

// sharable reports whether a file of a data folder can be hard-linked into another folder.
func sharable(dataDir, with string) bool {
	probe := filepath.Join(with, holdFile)
	return os.Link(filepath.Join(dataDir, holdFile), probe) == nil && os.Remove(probe) == nil
}

// Remove removes the folder, if it is a temporary one.
func (n Nearby) Remove() error {
	if !n.own {
		return nil
	}
	return os.RemoveAll(n.Path)
}

func removeStages(dataDir string) error {
	found, err := fs.Glob(os.DirFS(dataDir), stagePrefix+"*")
	for _, name := range found {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dataDir, name)))
	}
	return err
}
