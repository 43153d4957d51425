//go:build unix

package client

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// folder has files of these names and contents. A content that begins with "->" is a symbolic link.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		to, link := strings.CutPrefix(content, "->")
		err := error(nil)
		if link {
			err = os.Symlink(to, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// wantFolder checks that a folder has these files and no others.
func wantFolder(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		b, err := os.ReadFile(path)
		got := string(b)
		if e.Type() == fs.ModeSymlink {
			got, err = os.Readlink(path)
			got = "->" + got
		}
		if content, wanted := want[e.Name()]; !wanted || got != content {
			t.Errorf("%s: %q %v, want %q", e.Name(), got, err, content)
		}
	}
	if len(entries) != len(want) {
		t.Errorf("%d files, want %d", len(entries), len(want))
	}
}

// halfway serves tenBytes, and calls then when a client has had half of them.
func halfway(t *testing.T, then func()) *Client {
	return service(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"a"`)
		w.Header().Set("Content-Length", "10")
		w.Header().Set("Repr-Digest", digestOf(tenBytes))
		if r.Method == http.MethodGet {
			w.Write([]byte(tenBytes[:5]))
			http.NewResponseController(w).Flush()
			then()
			w.Write([]byte(tenBytes[5:]))
		}
	})
}

// A partial file is written by one download at a time; the second one does not disturb the first.
func TestOneDownloadOfAName(t *testing.T) {
	dir := t.TempDir()
	other := service(t, func(w http.ResponseWriter, r *http.Request) { serveTenBytes(w, r, `"other"`) })
	s := halfway(t, func() {
		_, err := other.Download(t.Context(), other.Base+"/1", Target{Path: dir, Overwrite: true})
		if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "1.part") {
			t.Errorf("a second download: %v", err)
		}
	})
	if _, err := s.Download(t.Context(), s.Base+"/1", Target{Path: dir}); err != nil {
		t.Error(err)
	}
	wantFolder(t, dir, map[string]string{"1": tenBytes})
}

// What comes into the way while a download runs is kept.
func TestFilesThatAppearMeanwhile(t *testing.T) {
	for _, c := range []struct {
		name      string
		overwrite bool
		want      error
	}{{"1", false, ErrExists}, {"1.part", true, nil}} {
		dir := t.TempDir()
		path := filepath.Join(dir, c.name)
		s := halfway(t, func() {
			if err := errors.Join(os.WriteFile(path+".mine", []byte("mine"), 0o600), os.Rename(path+".mine", path)); err != nil {
				t.Error(err)
			}
		})
		_, err := s.Download(t.Context(), s.Base+"/1", Target{Path: dir, Overwrite: c.overwrite})
		wantError(t, err, c.want, c.name)
		if b, err := os.ReadFile(path); string(b) != "mine" {
			t.Errorf("%s: %q %v", c.name, b, err)
		}
	}
}

// Only partial downloads are continued, or begun anew. Whatever else has their names is kept, also with Overwrite.
func TestFilesThatAreNoPartialDownloads(t *testing.T) {
	for _, files := range []map[string]string{
		{"1.part": "precious"},
		{"1.part.etag": "precious"},
		{"1.part.etag": `"a" and more`},
		{"1.part.etag": ""},
		{"1.part": "precious", "1.part.etag": "precious"},
		{"1.part": "->precious", "precious": "p", "1.part.etag": markTitle + "\"a\"\n"},
		{"1.part": "->absent"},
		{"1.part": "01234", "1.part.etag": "->precious", "precious": markTitle + "\"a\"\n"},
	} {
		dir := folder(t, files)
		s := service(t, func(w http.ResponseWriter, r *http.Request) { serveTenBytes(w, r, `"a"`) })
		for _, overwrite := range []bool{false, true} {
			if _, err := s.Download(t.Context(), s.Base+"/1", Target{Path: dir, Overwrite: overwrite}); err == nil ||
				!strings.Contains(err.Error(), "1.part") {
				t.Errorf("%q: %v", files, err)
			}
			wantFolder(t, dir, files)
		}
	}
}

// Partial downloads go on where they are, also those of version 0.1, and begin anew if the file is another one now.
func TestPartialDownloadsGoOn(t *testing.T) {
	for _, c := range []struct {
		part, mark string
		from       string // of the range that is requested
	}{
		{"0123", markTitle + "\"a\"\n", "bytes=4-"},
		{"0123", `"a"`, "bytes=4-"},
		{"abc", markTitle + "\"b\"\n", ""},
		{"abc", markTitle + "\n", ""},
		{"abc", `"b"`, ""},
		{"much longer than it", markTitle + "\"a\"\n", ""},
		{"", "", ""}, // after a crash
	} {
		dir := folder(t, map[string]string{"1.part": c.part, "1.part.etag": c.mark})
		if c.mark == "" {
			os.Remove(filepath.Join(dir, "1.part.etag"))
		}
		s := service(t, func(w http.ResponseWriter, r *http.Request) {
			if from := r.Header.Get("Range"); r.Method == http.MethodGet && from != c.from {
				t.Errorf("%+v: %q is requested", c, from)
			}
			w.Header().Set("Repr-Digest", digestOf(tenBytes))
			serveTenBytes(w, r, `"a"`)
		})
		if _, err := s.Download(t.Context(), s.Base+"/1", Target{Path: dir}); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		wantFolder(t, dir, map[string]string{"1": tenBytes})
	}
}

// What is no regular file is not replaced by one.
func TestDevicesAreNotReplaced(t *testing.T) {
	dir := folder(t, map[string]string{"link": "->file", "file": "mine"})
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := service(t, func(w http.ResponseWriter, r *http.Request) { serveTenBytes(w, r, `"a"`) })
	for _, name := range []string{"fifo", "link"} {
		path := filepath.Join(dir, name)
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, overwrite := range []bool{false, true} {
			_, err := s.Download(t.Context(), s.Base+"/1", Target{Path: path, Overwrite: overwrite})
			wantError(t, err, nil, "not a regular file")
		}
		if after, err := os.Lstat(path); err != nil || after.Mode() != before.Mode() {
			t.Errorf("%s: %v %v", name, after, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}
