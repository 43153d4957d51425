package uploadtest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"holdfast/file"
	"holdfast/storage"
)

// Check checks everything that must hold for a finished upload.
func (w *World) Check(url string, want []byte) {
	w.T.Helper()
	id, ctx := ID(url), w.T.Context()
	rec, err := w.Rows.File(ctx, id)
	if err != nil {
		w.T.Fatalf("no record: %v", err)
	}
	sum := sha256.Sum256(want)
	if rec.Size != int64(len(want)) || !bytes.Equal(rec.SHA256, sum[:]) {
		w.T.Fatalf("record of %d bytes with SHA-256 %x, want %d with %x", rec.Size, rec.SHA256, len(want), sum)
	}
	body, err := shared.Open(ctx, rec.Location, rec.ETag, 0, rec.Size)
	if err != nil {
		w.T.Fatalf("the object: %v", err)
	}
	defer body.Close()
	got := bytes.NewBuffer(make([]byte, 0, len(want)+bytes.MinRead)) // io.ReadAll would copy it five times
	if _, err := got.ReadFrom(body); err != nil || !bytes.Equal(got.Bytes(), want) {
		w.T.Fatalf("other bytes came back (%v)", err)
	}
	u, err := w.Rows.UploadRow(ctx, id)
	if err != nil || u.State != file.Recorded || u.Offset != rec.Size || w.Count("upload_tails", id) != 0 {
		w.T.Fatalf("%+v %v", u, err)
	}
	parts, err := w.Rows.Parts(ctx, id)
	if err != nil {
		w.T.Fatal(err)
	}
	var end int64
	var number int32
	for _, p := range parts {
		if p.Offset != end || p.Number <= number {
			w.T.Fatalf("parts with a hole or a number used twice: %+v", parts)
		}
		end, number = end+p.Size, p.Number
	}
	w.Traceable(id)
}

// MakeRoom removes everything in the store of a file that was checked: thousands of scenes would fill a disk.
func (w *World) MakeRoom(url string) {
	w.T.Helper()
	ctx, at := w.T.Context(), w.Layout.Object(1, ID(url))
	rec, err := w.Rows.File(ctx, ID(url))
	left, leftErr := shared.Leftovers(ctx, at.Bucket, ID(url))
	err = errors.Join(err, leftErr, shared.Delete(ctx, rec.Location), shared.Delete(ctx, at))
	for _, key := range left.Keys {
		err = errors.Join(err, shared.Delete(ctx, file.Location{Bucket: at.Bucket, Key: key}))
	}
	for _, m := range left.Multiparts {
		err = errors.Join(err, shared.Abort(ctx, file.Location{Bucket: at.Bucket, Key: m.Key}, m.ID))
	}
	if err != nil {
		w.T.Error(err)
	}
}

// Count counts the rows of a table that belong to an upload.
func (w *World) Count(table string, id file.ID) (n int) {
	w.T.Helper()
	if err := w.Raw.QueryRow("select count(*) from "+table+" where upload_id = $1", string(id)).Scan(&n); err != nil {
		w.T.Fatal(err)
	}
	return n
}

// InStore counts the objects whose keys contain the id, and the multipart uploads.
func (w *World) InStore(id string) (n int) {
	w.T.Helper()
	for _, key := range w.keys() {
		if strings.Contains(key, id) {
			n++
		}
	}
	err := shared.Multiparts(w.T.Context(), w.Layout.Object(1, "").Bucket,
		func(storage.MultipartUpload) error { n++; return nil })
	if err != nil {
		w.T.Fatal(err)
	}
	return n
}

// Files are the files that the store has of a kind ("objects", "parts", "uploads") in this world, in order.
func (w *World) Files(kind string) (paths []string) {
	w.T.Helper()
	root := filepath.Join(shared.dir, "store", "buckets", w.Layout.Object(1, "").Bucket, kind)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.T.Fatal(err)
	}
	return paths
}

// keys lists the keys of all objects.
func (w *World) keys() (keys []string) {
	w.T.Helper()
	for after := ""; ; after = keys[len(keys)-1] {
		page, err := shared.List(w.T.Context(), w.Layout.Object(1, "").Bucket, "", after)
		if err != nil {
			w.T.Fatal(err)
		}
		if len(page) == 0 {
			return keys
		}
		for _, o := range page {
			keys = append(keys, o.Key)
		}
	}
}

// Lives reports whether the upload exists. The row that is kept for a while after its deletion does not count.
func (w *World) Lives(id file.ID) bool {
	w.T.Helper()
	u, err := w.Rows.UploadRow(w.T.Context(), id)
	if err != nil && !errors.Is(err, file.ErrNotFound) {
		w.T.Fatal(err)
	}
	return err == nil && u.State != file.Deleted
}

// Traceable checks that everything in the store can be attributed to the upload by its key.
func (w *World) Traceable(id file.ID) {
	w.T.Helper()
	for _, key := range w.keys() {
		owner, _, err := storage.Owner(key)
		if err == nil && owner != id {
			_, err = w.Rows.UploadRow(w.T.Context(), owner)
		}
		if err != nil {
			w.T.Errorf("%s belongs to no row: %v", key, err)
		}
	}
}
