package disk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"holdfast/file"
)

// A store that is opened to be read only is read beside the process that uses it, and changes nothing.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), dir, Options{})
	noError(t, err)
	whole, made := file.Location{Bucket: "b", Key: "whole"}, file.Location{Bucket: "b", Key: "made"}
	put(t, s, whole, []byte("a whole object"))
	m, parts := begun(t, s, made, []byte("first"), []byte("second"))
	unfinished := filepath.Join(dir, "store/tmp/unfinished")
	noError(t, os.WriteFile(unfinished, nil, 0o600))

	reader, err := Open(t.Context(), dir, Options{ReadOnly: true,
		Database: &Database{Identity: s.Identity(), Used: true}})
	noError(t, err)
	if _, err := os.Stat(unfinished); err != nil {
		t.Errorf("what the other process writes: %v", err)
	}
	for name, write := range map[string]func() error{
		"put": func() error {
			_, err := reader.Put(t.Context(), whole, "", bytes.NewReader([]byte("other")), 5)
			return err
		},
		"delete": func() error { return reader.Delete(t.Context(), whole) },
		"abort":  func() error { return reader.Abort(t.Context(), made, m.ID) },
		"begin": func() error {
			_, err := reader.BeginMultipart(t.Context(), made, "", false)
			return err
		},
		"part": func() error {
			_, err := reader.PutPart(t.Context(), made, m, 3, bytes.NewReader([]byte("third")), 5)
			return err
		},
		"complete": func() error { return reader.Complete(t.Context(), made, m, parts) },
		"copy":     func() error { return reader.Copy(t.Context(), whole, "", made, "") },
		"copy part": func() error {
			_, err := reader.CopyPart(t.Context(), whole, "", 0, 5, made, m, 3)
			return err
		},
		"sweep":    func() error { return reader.Sweep(t.Context()) },
		"writable": func() error { return reader.Writable(t.Context()) },
	} {
		if err := write(); !errors.Is(err, file.ErrStorageWrite) || !errors.Is(err, errReadOnly) {
			t.Errorf("%s: %v", name, err)
		}
	}
	noError(t, s.Complete(t.Context(), made, m, parts))
	for at, want := range map[file.Location]string{whole: "a whole object", made: "firstsecond"} {
		if got, err := content(t, reader, at); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", at.Key, got, err)
		}
	}
	page, err := reader.List(t.Context(), "b", "", "")
	if err != nil || len(page) != 2 {
		t.Errorf("listed: %+v, %v", page, err)
	}
	_, err = Open(t.Context(), dir, Options{ReadOnly: true, Database: &Database{Identity: "another", Used: true}})
	if !errors.Is(err, ErrOtherStore) {
		t.Errorf("another database's: %v", err)
	}
}
