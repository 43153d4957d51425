package client

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// URLStore remembers the uploads that were begun and not ended, each in a small file of its
// own, so that several processes don't stand in each other's way.
type URLStore struct{ dir string }

// NewURLStore keeps them in a folder, which is made when it is needed.
func NewURLStore(dir string) *URLStore { return &URLStore{dir} }

// path is the file for an upload of a file to a service: of the same path, length and time.
func (u *URLStore) path(base, path string, info fs.FileInfo) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d %d", base, path, info.Size(), info.ModTime().UnixNano()))
	return filepath.Join(u.dir, hex.EncodeToString(sum[:16])), nil
}

// find returns the URL of an upload that was begun, or nothing. One of another service is
// not ours to go on with.
func (u *URLStore) find(base, path string, info fs.FileInfo) string {
	if u == nil {
		return ""
	}
	name, err := u.path(base, path, info)
	if err != nil {
		return ""
	}
	b, err := os.ReadFile(name)
	if url := strings.TrimSpace(string(b)); err == nil && strings.HasPrefix(url, base+"/") {
		return url
	}
	return ""
}

// save notes an upload that was begun. The URL is no secret: the token opens it.
func (u *URLStore) save(base, path string, info fs.FileInfo, url string) error {
	if u == nil {
		return nil
	}
	name, err := u.path(base, path, info)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(u.dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(url+"\n"), 0o600)
}

func (u *URLStore) remove(base, path string, info fs.FileInfo) error {
	if u == nil {
		return nil
	}
	name, err := u.path(base, path, info)
	if err == nil {
		err = os.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
