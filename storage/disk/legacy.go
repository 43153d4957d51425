package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"holdfast/file"
)

// legacy reads what version 0.1 has stored, which embedded versitygw: an object is the file objects/<bucket>/<key>,
// and each of its properties a file below metadata/<bucket>/<key>/meta. Objects stay there until they are deleted, so
// nothing has to be converted, and backups that share files with this folder stay whole. New objects are written to
// the store's own folder, which is searched first.
type legacy struct {
	fs      fileSystem
	dataDir string
}

// The folders of version 0.1 and, within a bucket, the place of its multipart uploads.
const (
	oldObjects    = "objects"
	oldMetadata   = "metadata"
	oldPrivate    = ".sgwtmp"
	oldMultiparts = oldPrivate + "/multipart"
	oldInProgress = ".inprogress" // the suffix of an upload's folder while it is completed
)

// path returns the path of an object; an error for a location that is not a clean path below the bucket's folder,
// since versitygw made no such object.
func (l legacy) path(tree string, at file.Location) (string, error) {
	rel := at.Bucket + "/" + at.Key
	if !fs.ValidPath(rel) || strings.HasPrefix(at.Bucket, ".") || strings.Contains(at.Bucket, "/") || at.Key == "." ||
		at.Key == oldPrivate || strings.HasPrefix(at.Key, oldPrivate+"/") || strings.Contains(rel, "\x00") {
		return "", fs.ErrNotExist
	}
	return filepath.Join(l.dataDir, tree, filepath.FromSlash(rel)), nil
}

// find opens an object; fs.ErrNotExist if there is none.
func (l legacy) find(at file.Location) (o found, err error) {
	path, err := l.path(oldObjects, at)
	if err != nil {
		return o, err
	}
	f, err := l.fs.Open(path)
	if cannotExist(err) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return o, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	meta, _ := l.path(oldMetadata, at)
	var etag, kind string
	if err == nil {
		etag, err = l.property(meta, "etag")
	}
	if err == nil {
		kind, err = l.property(meta, "content-type")
	}
	if err != nil {
		f.Close()
		return o, err
	}
	r := record{Key: at.Key, Size: info.Size(), ETag: bare(etag), Type: kind}
	return found{record: r, file: f, modified: info.ModTime()}, nil
}

// cannotExist reports whether an error means that there is no such file, and can't be one.
func cannotExist(err error) bool {
	return errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG)
}

// property reads a property from a folder of metadata; empty if it does not exist.
func (l legacy) property(folder, name string) (string, error) {
	f, err := l.fs.Open(filepath.Join(folder, "meta", name))
	if isMissing(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	return string(b), err
}

// remove removes an object's file, then its metadata, and then the folders that are empty.
func (l legacy) remove(at file.Location) error {
	path, err := l.path(oldObjects, at)
	if err != nil {
		return nil // there is none
	}
	info, err := l.fs.Lstat(path)
	if isMissing(err) || cannotExist(err) || err == nil && !info.Mode().IsRegular() {
		return nil
	}
	if err != nil {
		return err
	}
	if err := l.fs.Remove(path); err != nil && !isMissing(err) {
		return err
	}
	meta, _ := l.path(oldMetadata, at)
	if err := os.RemoveAll(filepath.Join(meta, "meta")); err != nil {
		return err
	}
	depth := strings.Count(at.Key, "/")
	l.prune(filepath.Dir(path), depth)
	l.prune(meta, depth+1)
	return nil
}

// prune removes a folder and its parents, at most depth of them, as long as they are empty.
func (l legacy) prune(dir string, depth int) {
	for ; depth > 0 && l.fs.Remove(dir) == nil; depth-- {
		dir = filepath.Dir(dir)
	}
}

// keys returns the keys of a bucket for which wanted is true, unsorted.
func (l legacy) keys(bucket string, wanted func(string) bool) (keys []string, err error) {
	if strings.HasPrefix(bucket, ".") || !fs.ValidPath(bucket) || strings.Contains(bucket, "/") {
		return nil, nil
	}
	dir := filepath.Join(l.dataDir, oldObjects, bucket)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case isMissing(err):
			return nil
		case err != nil:
			return err
		case d.IsDir() && path == filepath.Join(dir, oldPrivate):
			return fs.SkipDir
		case d.Type().IsRegular():
			rel, err := filepath.Rel(dir, path)
			if key := filepath.ToSlash(rel); err == nil && wanted(key) {
				keys = append(keys, key)
			}
			return err
		}
		return nil
	})
	return keys, err
}

// buckets returns the names of the buckets.
func (l legacy) buckets() (buckets []string, err error) {
	names, err := l.fs.Names(filepath.Join(l.dataDir, oldObjects))
	for _, name := range names {
		if !strings.HasPrefix(name, ".") {
			buckets = append(buckets, name)
		}
	}
	return buckets, err
}

// takeOver turns the multipart uploads of version 0.1 into the store's own: it renames their parts, and then writes
// their records. After a crash in between the next start continues.
func (s *Store) takeOver(ctx context.Context) error {
	folders, err := below(s.fs, filepath.Join(s.dataDir, oldObjects), each, oldMultiparts, each, each)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if err := s.takeOverUpload(ctx, folder); err != nil {
			return fmt.Errorf("take over an upload of version 0.1: %w", err)
		}
	}
	// What is left there are incomplete files, and metadata of uploads that have ended.
	buckets, err := s.old.buckets()
	for _, bucket := range buckets {
		for _, tree := range []string{oldObjects, oldMetadata} {
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.dataDir, tree, bucket, oldPrivate)))
		}
	}
	return err
}

// takeOverUpload takes over the upload whose folder is from.
func (s *Store) takeOverUpload(ctx context.Context, from string) error {
	rel, err := filepath.Rel(filepath.Join(s.dataDir, oldObjects), from)
	if err != nil {
		return err
	}
	meta := filepath.Join(s.dataDir, oldMetadata, rel)
	bucket, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
	id := filepath.Base(rel)
	// versitygw renames the folder while it completes an upload.
	if strings.HasSuffix(id, oldInProgress) {
		id, _, _ = strings.Cut(id, ".")
		if _, err := os.Stat(meta); err != nil { // the metadata's folder is renamed later
			meta = filepath.Join(filepath.Dir(meta), id)
		}
	}
	r, err := s.old.begun(meta, id)
	if err != nil || !isID(id) || r.Key == "" {
		return err
	}
	to := s.parts(bucket, id)
	if err := s.ensure(ctx, to); err != nil {
		return err
	}
	names, err := s.fs.Names(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		new, err := s.old.partName(filepath.Join(from, name), filepath.Join(meta, name))
		if err == nil && new != "" {
			err = s.fs.Rename(filepath.Join(from, name), filepath.Join(to, new))
		}
		if err != nil {
			return err
		}
	}
	if err := s.flush(ctx, nil, to); err != nil {
		return err
	}
	return s.begin(ctx, bucket, r)
}

// begun reads the record of an upload from the folder of its metadata.
func (l legacy) begun(meta, id string) (r record, err error) {
	key, err := l.property(filepath.Dir(meta), "objname")
	if err != nil {
		return r, err
	}
	kind, err := l.property(meta, "content-type")
	return record{Key: key, Type: kind, Upload: id}, err
}

// partName returns the new name of a part; empty if it is not a part, or was not written completely.
func (l legacy) partName(path, meta string) (string, error) {
	number, err := strconv.ParseInt(filepath.Base(path), 10, 32)
	if err != nil {
		return "", nil
	}
	info, err := l.fs.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return "", err
	}
	etag, err := l.property(meta, "etag")
	if err != nil || !isID(bare(etag)) {
		return "", err
	}
	return partName(int32(number), info.Size(), bare(etag)), nil
}
