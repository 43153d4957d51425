package disk

import (
	"archive/tar"
	"bytes"
	"compress/bzip2"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"holdfast/file"
	"holdfast/storage"
)

// unpack unpacks the data folder that version 0.1 left when it was killed: a small file, a large one that was made of
// parts, and an unfinished upload of 20 MiB of which 17 MiB and 5 bytes are there, as two parts and a tail.
func unpack(t *testing.T) (dataDir string) {
	t.Helper()
	b, err := unpacked()
	if err != nil {
		t.Fatal(err)
	}
	dataDir = filepath.Join(t.TempDir(), oddName)
	for r := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return dataDir
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dataDir, filepath.Clean("/"+h.Name))
		if h.FileInfo().IsDir() {
			err = os.MkdirAll(path, 0o700)
		} else {
			b := make([]byte, h.Size)
			if _, err = io.ReadFull(r, b); err == nil {
				err = os.WriteFile(path, b, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// unpacked decompresses the folder once: the race detector makes that slow.
var unpacked = sync.OnceValues(func() ([]byte, error) {
	f, err := os.Open("testdata/v01.tar.bz2")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(bzip2.NewReader(f))
})

// oddName is a folder's name with characters that mean something in patterns and URLs.
const oddName = `da[t]a*? %41#`

// The names in that folder.
const (
	oldBucket     = "pneumatic-dev-test-1"
	oldSmall      = "674613f6-882b-4a40-b58e-4b7a63b74c6b"
	oldLarge      = "01e89131-d8b2-4b71-b9dd-e733fbb7c678"
	oldUnfinished = "b35c4e24-37ed-45a8-b7c2-aaa15e514dd9"
	oldMultipart  = "793a5226-b694-4510-8806-19bd0b51cd4b"
	oldTail       = "tails/" + oldUnfinished + "/1-17825797"
)

func repeated(of string, n int) []byte { return bytes.Repeat([]byte(of), n/len(of)+1)[:n] }

// oldParts are the parts of the unfinished upload as its rows list them.
func oldParts() []file.Part {
	return []file.Part{{Number: 1, Size: 8 << 20, ETag: `"a8303768d284de7c597218520ad035e6"`, CRC32: "UTNahg=="},
		{Number: 2, Size: 8 << 20, ETag: `"db5beb04c9d4cb51d1a18f332d001057"`, CRC32: "xoUgkQ=="}}
}

// Objects of version 0.1 are read under their ETags, listed together with new ones, and deleted.
func TestObjectsOfVersion01(t *testing.T) {
	s := opened(t, unpack(t), Options{})
	at := func(key string) file.Location { return file.Location{Bucket: oldBucket, Key: key} }
	for key, want := range map[string]struct {
		etag, kind string
		content    []byte
	}{
		oldSmall: {`"698fe1342cfbe37405ed5d230751d6f0"`, "text/plain", []byte("a small file of version 0.1\n")},
		oldLarge: {`"536f9e3621a5b325ff4fc0aba7185cf5-3"`, "application/octet-stream", repeated("0.1\n", 17<<20)},
		oldTail: {`"8fda73f91100cd5203f56d20f7b3455a"`, "application/octet-stream",
			repeated("unfinished\n", 17<<20+5)[16<<20:]},
	} {
		o, err := s.Stat(t.Context(), at(key))
		if err != nil || o.ETag != want.etag || o.Type != want.kind {
			t.Errorf("%s: %+v %v", key, o, err)
		}
		if b, err := content(t, s, at(key)); err != nil || !bytes.Equal(b, want.content) {
			t.Errorf("%s: %d bytes or others, %v", key, len(b), err)
		}
		if err := ObjectIn(s.dataDir, at(key), int64(len(want.content))); err != nil {
			t.Error(err)
		}
	}
	put(t, s, at("1 new"), []byte("new"))
	listed := func() string {
		page, err := s.List(t.Context(), oldBucket, "", "")
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, o := range page {
			keys = append(keys, o.Key)
		}
		return strings.Join(keys, " | ")
	}
	if got, want := listed(), strings.Join([]string{oldLarge, "1 new", oldSmall, oldTail}, " | "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if b, err := s.Buckets(t.Context(), "pneu"); err != nil || len(b) != 1 || b[0] != oldBucket {
		t.Errorf("%q %v", b, err)
	}
	put(t, s, at(oldSmall), []byte("replaced"))
	if b, err := content(t, s, at(oldSmall)); err != nil || string(b) != "replaced" {
		t.Errorf("%q %v", b, err)
	}
	for _, key := range []string{oldSmall, oldLarge, oldTail} {
		if err := s.Delete(t.Context(), at(key)); err != nil {
			t.Error(err)
		}
		if _, err := s.Stat(t.Context(), at(key)); !errors.Is(err, file.ErrObjectMissing) {
			t.Errorf("%s was deleted: %v", key, err)
		}
	}
	if got := listed(); got != "1 new" {
		t.Errorf("left: %s", got)
	}
}

// An upload that version 0.1 has begun continues, even if a crash interrupted the start, or its completion.
func TestUploadOfVersion01(t *testing.T) {
	at := file.Location{Bucket: oldBucket, Key: oldUnfinished}
	whole := repeated("unfinished\n", 20<<20)
	for name, prepare := range map[string]func(t *testing.T, dataDir, folder string){
		"as it was": func(*testing.T, string, string) {},
		"while it was completed": func(t *testing.T, dataDir, folder string) {
			if err := os.Rename(folder, folder+".c15a4bc9ab0b4f96c7ac3b2ed6d1a4a0-1.inprogress"); err != nil {
				t.Fatal(err)
			}
		},
		"half taken over": func(t *testing.T, dataDir, folder string) {
			s := &Store{root: rootOf(dataDir)}
			to := s.parts(oldBucket, oldMultipart)
			if err := os.MkdirAll(to, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(folder, "1"), filepath.Join(to, nameOf(oldParts()[0]))); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := unpack(t)
			found, err := below(osFiles{}, filepath.Join(dir, oldObjects, oldBucket, oldMultiparts), each, oldMultipart)
			if err != nil || len(found) != 1 {
				t.Fatal(found, err)
			}
			prepare(t, dir, found[0])
			for range 2 { // the second start finds nothing to do
				s := opened(t, dir, Options{})
				left, err := s.Leftovers(t.Context(), oldBucket, oldUnfinished)
				if err != nil || len(left.Keys) != 1 || len(left.Multiparts) != 1 || left.Multiparts[0].ID != oldMultipart {
					t.Fatalf("%+v %v", left, err)
				}
			}
			s := opened(t, dir, Options{})
			m := file.Multipart{ID: oldMultipart, Sums: true}
			p, err := s.PutPart(t.Context(), at, m, 3, bytes.NewReader(whole[16<<20:]), 4<<20)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Complete(t.Context(), at, m, append(oldParts(), p)); err != nil {
				t.Fatal(err)
			}
			if b, err := content(t, s, at); err != nil || !bytes.Equal(b, whole) {
				t.Errorf("%d bytes or others, %v", len(b), err)
			}
			s = opened(t, dir, Options{})
			if err := s.Complete(t.Context(), at, m, append(oldParts(), p)); err != nil &&
				!errors.Is(err, storage.ErrNoUpload) {
				t.Error(err)
			}
			for _, tree := range []string{oldObjects, oldMetadata} {
				if _, err := os.Lstat(filepath.Join(dir, tree, oldBucket, oldPrivate)); !isMissing(err) {
					t.Errorf("left of version 0.1 in %s: %v", tree, err)
				}
			}
		})
	}
}

// cutOff is a file system with a folder that can't be read.
type cutOff struct {
	fileSystem
	name string
}

func (u cutOff) Names(dir string) ([]string, error) {
	if filepath.Base(dir) == u.name {
		return nil, syscall.EIO
	}
	return u.fileSystem.Names(dir)
}

// An upload that version 0.1 has begun is not removed because its folder could not be read: the start fails.
func TestUnreadableUploadOfVersion01(t *testing.T) {
	dir := unpack(t)
	if _, err := open(t.Context(), cutOff{osFiles{}, "multipart"}, dir, Options{}); !errors.Is(err, syscall.EIO) {
		t.Errorf("the start: %v", err)
	}
	left, err := opened(t, dir, Options{}).Leftovers(t.Context(), oldBucket, oldUnfinished)
	if err != nil || len(left.Multiparts) != 1 {
		t.Errorf("the next start has found %+v %v", left, err)
	}
}
