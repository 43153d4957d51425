package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// inProgress ends the name of a multipart upload's folder while it is completed.
const inProgress = ".inprogress"

// recoverMultiparts repairs what a crash leaves in the gateway's folders. It must run
// while no gateway does.
//
// The gateway renames the folder of a multipart upload to <id>.<etag>.inprogress while
// it completes it, and takes that name for a sign that somebody is at work: after a
// crash in that moment it would answer every further attempt with success, without ever
// making the object. So the name is put back. It also leaves the metadata of completed
// multipart uploads behind, which goes here too.
func recoverMultiparts(objects, sidecars string) error {
	for _, root := range []string{objects, sidecars} {
		found, err := fs.Glob(os.DirFS(root), "*/.sgwtmp/multipart/*/*"+inProgress)
		if err != nil {
			return err
		}
		for _, rel := range found {
			dir := filepath.Join(root, rel)
			id, _, _ := strings.Cut(filepath.Base(dir), ".")
			if err := os.Rename(dir, filepath.Join(filepath.Dir(dir), id)); err != nil {
				return fmt.Errorf("repair multipart upload: %w", err)
			}
		}
	}
	return removeOrphans(objects, sidecars)
}

// removeOrphans removes the metadata of multipart uploads that have no folder of parts
// any more. Beside them, "meta" names the object that a folder of uploads is for.
func removeOrphans(objects, sidecars string) error {
	found, err := fs.Glob(os.DirFS(sidecars), "*/.sgwtmp/multipart/*/*")
	if err != nil {
		return err
	}
	for _, rel := range found {
		if filepath.Base(rel) == "meta" {
			rel = filepath.Dir(rel)
		}
		if _, err := os.Stat(filepath.Join(objects, rel)); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(sidecars, rel)); err != nil {
			return fmt.Errorf("remove metadata without parts: %w", err)
		}
	}
	return nil
}
