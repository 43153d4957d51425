// Package storagetest tests the contract of storage.Store. Every store has to pass.
package storagetest

import (
	"bytes"
	"crypto/rand"
	"io"
	"strings"
	"testing"

	"holdfast/file"
	"holdfast/storage"
)

// Quirk is a deviation that the contract allows.
type Quirk int

const (
	// PlainKeys: the store refuses or changes keys that are not clean paths, or longer than a file name may be.
	PlainKeys Quirk = iota + 1
	// CompletesUnknown: if there is an object under the key, Complete of an unknown upload succeeds.
	CompletesUnknown
	// OddUploads: an id of an upload that the store would never have given is refused, and not ErrNoUpload.
	OddUploads
	// EmptyWhenCut: a write whose body breaks off before its first byte leaves an empty object.
	EmptyWhenCut
	// WaitsForReaders: an object that is being read is neither replaced nor deleted until that has ended.
	WaitsForReaders
)

// Copier is a store that copies by itself.
type Copier interface {
	storage.Store
	storage.Copier
}

// suite is a store under test.
type suite struct {
	storage.Store
	quirks  map[Quirk]bool
	without map[string]string
	name    string // of the test that runs the suite
}

// Run runs the whole suite. A store that is also a storage.Copier is tested as one.
func Run(t *testing.T, c storage.Store, quirks ...Quirk) { RunWithout(t, c, nil, quirks...) }

// RunWithout runs the suite without some tests: their names ("multipart/order") with the reasons.
func RunWithout(t *testing.T, c storage.Store, without map[string]string, quirks ...Quirk) {
	s := suite{c, map[Quirk]bool{}, without, t.Name() + "/"}
	for _, q := range quirks {
		s.quirks[q] = true
	}
	s.cases(t, testing.InternalTest{Name: "objects", F: s.objects}, testing.InternalTest{Name: "sizes", F: s.sizes},
		testing.InternalTest{Name: "keys", F: s.keys}, testing.InternalTest{Name: "listing", F: s.listing},
		testing.InternalTest{Name: "reading", F: s.reading}, testing.InternalTest{Name: "multipart", F: s.multiparts})
	if copier, ok := c.(Copier); ok {
		s.cases(t, testing.InternalTest{Name: "copy", F: func(t *testing.T) { CopyWhole(t, copier) }},
			testing.InternalTest{Name: "copy parts", F: func(t *testing.T) { CopyParts(t, copier) }})
	}
}

// cases runs subtests.
func (s suite) cases(t *testing.T, all ...testing.InternalTest) {
	for _, c := range all {
		t.Run(c.Name, func(t *testing.T) {
			if why, left := s.without[strings.TrimPrefix(t.Name(), s.name)]; left {
				t.Skip(why)
			}
			c.F(t)
		})
	}
}

// fresh returns a layout whose buckets no other test uses.
func fresh(name string) storage.Layout {
	return storage.Layout{BucketPrefix: name + "-" + string(file.NewID())[:8]}
}

func random(t testing.TB, n int) []byte {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

// put stores an object and returns its ETag.
func put(t *testing.T, c storage.Store, at file.Location, content []byte) (etag string) {
	t.Helper()
	etag, err := c.Put(t.Context(), at, "text/plain", bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatalf("put %q: %v", at.Key, err)
	}
	return etag
}

// read reads length bytes of an object from offset on.
func read(t *testing.T, c storage.Store, at file.Location, offset, length int64) []byte {
	t.Helper()
	r, err := c.Open(t.Context(), at, "", offset, length)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// holds checks that an object has this content, by Stat and by both ways of reading.
func holds(t *testing.T, c storage.Store, at file.Location, content []byte) {
	t.Helper()
	o, err := c.Stat(t.Context(), at)
	if err != nil || o.Size != int64(len(content)) || o.ETag == "" {
		t.Errorf("%q: %+v %v, want %d bytes", at.Key, o, err, len(content))
		return
	}
	for name, open := range readers(c) {
		r, err := open(t.Context(), at, o.ETag, 0, o.Size)
		if err != nil {
			t.Errorf("%s %q: %v", name, at.Key, err)
			continue
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s %q: %d bytes, or others than were written, and %v", name, at.Key, len(got), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
