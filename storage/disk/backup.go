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
	"holdfast/internal/filelock"
)

// CopyParts copies the parts of unfinished multipart uploads from one data folder to another, while the store is in
// use.
//
// The store never changes a file: it writes a new one and renames it into place. So if both folders are on one file
// system, a hard link is as good as a copy.
func CopyParts(ctx context.Context, from, to string) error {
	found, err := below(osFiles{}, rootOf(from), "buckets", each, "uploads", each)
	if err != nil {
		return err
	}
	for _, path := range found {
		parts := filepath.Join(filepath.Dir(filepath.Dir(path)), "parts", filepath.Base(path))
		for _, tree := range []string{parts, path} {
			if err := copyTree(ctx, from, to, tree); err != nil {
				return fmt.Errorf("copy the parts of uploads: %w", err)
			}
		}
	}
	return nil
}

// CopyObjects copies the objects and all other files of the embedded store from one data folder to another, while the
// store is in use. It adds files and removes none. Objects are copied before the parts that they consist of, which
// exist longer.
func CopyObjects(ctx context.Context, from, to string) error {
	var trees []string
	for _, kind := range []string{"objects", "parts", "uploads", "trash"} {
		found, err := below(osFiles{}, rootOf(from), "buckets", each, kind)
		if err != nil {
			return err
		}
		trees = append(trees, found...)
	}
	trees = append(trees, filepath.Join(rootOf(from), identityFile))
	for _, tree := range append(trees, filepath.Join(from, oldObjects), filepath.Join(from, oldMetadata)) {
		if err := copyTree(ctx, from, to, tree); err != nil {
			return fmt.Errorf("copy the embedded store: %w", err)
		}
	}
	return nil
}

// ObjectIn checks an object in a data folder without a running store: file.ErrObjectMissing if there is none of this
// size, or if one of its parts is missing.
func ObjectIn(dataDir string, at file.Location, size int64) error {
	s := &Store{fs: osFiles{}, root: rootOf(dataDir), old: legacy{osFiles{}, dataDir}}
	o, err := s.listed(at)
	if err == nil && (o.Size != size || o.ETag == "") {
		err = fmt.Errorf("%w: %d of %d bytes", file.ErrObjectMissing, o.Size, size)
	}
	return err
}

// copyTree copies the tree at path, below from, to the same place below to.
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
			err = os.MkdirAll(filepath.Join(to, rel), 0o700)
		case d.Type().IsRegular():
			if err = os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o700); err == nil {
				err = share(path, filepath.Join(to, rel))
			}
		default: // what it leads to would be missing in the copy
			err = fmt.Errorf("%s is neither a file nor a folder: %s", path, d.Type())
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed or renamed meanwhile
		}
		return err
	})
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

// Nearby is a folder on the same file system as a data folder.
type Nearby struct {
	Path   string
	unlock func() // nil: the folder is no temporary one
}

// stagePrefix is the prefix of the temporary folders of a backup in a data folder, its stages.
const stagePrefix = ".backup-stage-"

// stageLock is the file in a stage that its backup locks as long as it uses the stage, which is longer than its Hold.
const stageLock = "lock"

// Near returns a folder into which files of dataDir can be hard-linked: to itself if that works, else a temporary
// folder in dataDir; to if hard links do not work at all. The caller has a Hold on dataDir. Near removes what killed
// backups have left behind.
func Near(dataDir, to string) (Nearby, error) {
	if err := removeStages(dataDir); err != nil {
		return Nearby{}, err
	}
	if canLink(dataDir, to) {
		return Nearby{Path: to}, nil
	}
	stage, err := newStage(dataDir)
	if err == nil && !canLink(dataDir, stage.Path) {
		return Nearby{Path: to}, stage.Remove()
	}
	return stage, err
}

func newStage(dataDir string) (Nearby, error) {
	path, err := os.MkdirTemp(dataDir, stagePrefix)
	if err != nil {
		return Nearby{}, err
	}
	unlock, err := filelock.Try(filepath.Join(path, stageLock))
	return Nearby{path, unlock}, err
}

// canLink reports whether files of a data folder can be hard-linked into another folder.
func canLink(dataDir, with string) bool {
	probe := filepath.Join(with, holdFile)
	return os.Link(filepath.Join(dataDir, holdFile), probe) == nil && os.Remove(probe) == nil
}

// Remove removes the folder if it is a temporary one.
func (n Nearby) Remove() error {
	if n.unlock == nil {
		return nil
	}
	defer n.unlock()
	return os.RemoveAll(n.Path)
}

// removeStages removes the stages of killed backups. The caller has a Hold, so no stage is made meanwhile.
func removeStages(dataDir string) error {
	stages, err := stagesIn(dataDir)
	for _, stage := range stages {
		unlock, locked := filelock.Try(filepath.Join(stage, stageLock))
		if errors.Is(locked, filelock.ErrHeld) {
			continue // its backup is copying it to another file system
		}
		err = errors.Join(err, locked)
		if locked == nil {
			err = errors.Join(err, os.RemoveAll(stage))
			unlock()
		}
	}
	return err
}

func stagesIn(dataDir string) (stages []string, err error) {
	names, err := osFiles{}.Names(dataDir)
	for _, name := range names {
		if strings.HasPrefix(name, stagePrefix) {
			stages = append(stages, filepath.Join(dataDir, name))
		}
	}
	return stages, err
}

// removeStagesAtStart is removeStages, unless a backup has a Hold: the next one removes them.
func removeStagesAtStart(dataDir string) error {
	if stages, err := stagesIn(dataDir); err != nil || len(stages) == 0 {
		return err
	}
	unlock, err := filelock.Try(filepath.Join(dataDir, holdFile))
	if errors.Is(err, filelock.ErrHeld) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	return removeStages(dataDir)
}

// OwnFolder returns the folder of the embedded store in a data folder that path is, or lies in; empty if it lies
// elsewhere. The folder that path lies in exists. Symbolic links are followed.
func OwnFolder(dataDir, path string) (string, error) {
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	path = filepath.Join(folder, filepath.Base(path))
	for _, own := range []string{rootOf(dataDir), filepath.Join(dataDir, oldObjects),
		filepath.Join(dataDir, oldMetadata)} {
		real, err := filepath.Abs(own)
		if err == nil {
			real, err = filepath.EvalSymlinks(real)
		}
		if isMissing(err) {
			continue
		}
		if err != nil {
			return "", err
		}
		if rel, err := filepath.Rel(real, path); err == nil && filepath.IsLocal(rel) {
			return own, nil
		}
	}
	return "", nil
}
