package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// inProgress is the suffix of a multipart upload's folder while it is completed.
const inProgress = ".inprogress"

// recoverMultiparts repairs what a crash has left in the gateway's folders. It runs before the gateway does.
//
// The gateway renames the folder of a multipart upload to <id>.<etag>.inprogress while it completes the upload, and
// takes a folder of that name as a sign that another request is completing it. After a crash at that moment it
// would answer every further attempt with success, without ever making the object. So the folder gets its old name
// back. The gateway also leaves the metadata of completed multipart uploads behind, which is removed here.
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

// removeOrphans removes the metadata of multipart uploads whose folder of parts is gone. Beside them, the folder
// "meta" is the metadata of the object that the uploads are for.
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
