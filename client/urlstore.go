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

// URLStore stores the URLs of unfinished uploads, each in a small file of its own, so that processes can use it side
// by side. The methods of a nil *URLStore do nothing.
type URLStore struct{ dir string }

// NewURLStore returns a store in a folder, which is made when it is needed.
func NewURLStore(dir string) *URLStore { return &URLStore{dir} }

// path returns the store's file for an upload, by the service, the file's path, its length and its time of change.
func (s *URLStore) path(base, path string, info fs.FileInfo) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d %d", base, path, info.Size(), info.ModTime().UnixNano()))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:16])), nil
}

// find returns the URL of an unfinished upload, or "". URLs of other services are not used.
func (s *URLStore) find(base, path string, info fs.FileInfo) string {
	if s == nil {
		return ""
	}
	name, err := s.path(base, path, info)
	if err != nil {
		return ""
	}
	b, err := os.ReadFile(name)
	if url := strings.TrimSpace(string(b)); err == nil && strings.HasPrefix(url, base+"/") {
		return url
	}
	return ""
}

// save stores the URL of an upload. It is no secret: using it takes the token.
func (s *URLStore) save(base, path string, info fs.FileInfo, url string) error {
	if s == nil {
		return nil
	}
	name, err := s.path(base, path, info)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(url+"\n"), 0o600)
}

func (s *URLStore) remove(base, path string, info fs.FileInfo) error {
	if s == nil {
		return nil
	}
	name, err := s.path(base, path, info)
	if err == nil {
		err = os.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
