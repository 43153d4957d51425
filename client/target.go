package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Target says where a download is written.
type Target struct {
	// Path is a file's name, a folder in which the file gets the name that the service gives it, or empty for the
	// working folder.
	Path string
	// Overwrite replaces a file that exists.
	Overwrite bool
	// Begin, if it is set, is called before any file is touched, with the paths of the file and of its partial download.
	// It may wait, so that downloads of files that have the same name come one after the other.
	Begin func(ctx context.Context, files ...string) error
}

// check returns an error for what must not be written: a file that exists, unless it is to be replaced, and whatever is
// no regular file. Renaming would put a file in the place of a device, and in that of a link.
func (t Target) check(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &fs.PathError{Op: "write", Path: path, Err: errors.New("not a regular file")}
	case !t.Overwrite:
		return &fs.PathError{Op: "write", Path: path, Err: ErrExists}
	}
	return nil
}

// path returns the file to write. A name that the service gives can't lead to another folder.
func (t Target) path(from string, h http.Header) (string, error) {
	info, err := os.Stat(t.Path)
	isFolder := err == nil && info.IsDir()
	switch {
	case t.Path != "" && !isFolder && os.IsPathSeparator(t.Path[len(t.Path)-1]):
		return "", &fs.PathError{Op: "write", Path: t.Path, Err: errors.New("there is no such folder")}
	case t.Path != "" && !isFolder:
		return t.Path, nil
	}
	name := ""
	if _, params, err := mime.ParseMediaType(h.Get("Content-Disposition")); err == nil {
		name = params["filename"]
	}
	if u, err := url.Parse(from); err == nil && name == "" {
		name = u.Path
	}
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	if name == "." || !filepath.IsLocal(name) || strings.ContainsRune(name, 0) {
		return "", errors.New("the service sends no file name that is possible here: give one")
	}
	return filepath.Join(t.Path, name), nil
}

const (
	partSuffix = ".part"
	etagSuffix = ".etag"
	// maxName is the longest name of a file in common file systems, in bytes.
	maxName = 255
)

// partPath returns the file that a download is written to until it is complete: path with ".part" behind it. A name
// that would become too long is cut, and a hash of it tells it from others that begin alike.
func partPath(path string) string {
	dir, name := filepath.Split(path)
	if len(name)+len(partSuffix)+len(etagSuffix) > maxName {
		sum := sha256.Sum256([]byte(name))
		name = strings.ToValidUTF8(name[:200], "") + "-" + hex.EncodeToString(sum[:8])
	}
	return dir + name + partSuffix
}
