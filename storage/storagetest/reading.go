package storagetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"holdfast/file"
	"holdfast/storage"
)

type opener func(context.Context, file.Location, string, int64, int64) (io.ReadCloser, error)

// readers are both ways to read an object.
func readers(c storage.Store) map[string]opener {
	return map[string]opener{"Open": c.Open, "Read": c.Read}
}

func (s suite) reading(t *testing.T) {
	s.cases(t, testing.InternalTest{Name: "ranges", F: s.ranges}, testing.InternalTest{Name: "etag", F: s.conditional},
		testing.InternalTest{Name: "replaced", F: s.replaced}, testing.InternalTest{Name: "closed", F: s.closed})
}

// ranges: ranges at all edges are read, of an object in one piece and of one made of parts.
func (s suite) ranges(t *testing.T) {
	layout := fresh("ranges")
	content := random(t, storage.MinPart+1000)
	one, parted := layout.Object(1, "one"), layout.Object(1, "parted")
	put(t, s, one, content)
	m := begin(t, s, parted)
	parts := []file.Part{s.part(t, parted, m, 1, content[:storage.MinPart]),
		s.part(t, parted, m, 2, content[storage.MinPart:])}
	if err := s.Complete(t.Context(), parted, m, parts); err != nil {
		t.Fatal(err)
	}
	size, edge := int64(len(content)), int64(storage.MinPart)
	for _, at := range []file.Location{one, parted} {
		for name, open := range readers(s) {
			for _, r := range [][2]int64{{0, size}, {0, 1}, {size - 1, 1}, {edge - 1, 1}, {edge, 1}, {edge - 1, 2}, {edge, 1000},
				{0, edge}, {1, size - 2}} {
				body, err := open(t.Context(), at, "", r[0], r[1])
				if err != nil {
					t.Errorf("%s %s %d: %v", name, at.Key, r, err)
					continue
				}
				got, err := io.ReadAll(body)
				if err != nil || !bytes.Equal(got, content[r[0]:r[0]+r[1]]) {
					t.Errorf("%s %s %d: %d bytes or others, %v", name, at.Key, r, len(got), err)
				}
				body.Close()
			}
			for _, r := range [][2]int64{{0, size + 1}, {1, size}, {size, 1}, {size + 1, 1}, {size - 1, 2}} {
				if body, err := open(t.Context(), at, "", r[0], r[1]); !errors.Is(err, file.ErrObjectChanged) {
					t.Errorf("%s %s %d, more than there is: %v", name, at.Key, r, err)
					if err == nil {
						body.Close()
					}
				}
			}
		}
	}
}

// conditional: an object with another ETag is not read.
func (s suite) conditional(t *testing.T) {
	at := fresh("etag").Object(1, file.NewID())
	old := put(t, s, at, []byte("one"))
	now := put(t, s, at, []byte("two"))
	for name, open := range readers(s) {
		for _, wrong := range []string{old, `"none"`, "none", now + "x"} {
			if r, err := open(t.Context(), at, wrong, 0, 3); !errors.Is(err, file.ErrObjectChanged) ||
				!errors.Is(err, file.ErrObjectMissing) {
				t.Errorf("%s under %s: %v", name, wrong, err)
				if err == nil {
					r.Close()
				}
			}
		}
		r, err := open(t.Context(), at, now, 1, 2)
		if err != nil {
			t.Errorf("%s after errors: %v", name, err)
			continue
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != "wo" {
			t.Errorf("%s: %q %v", name, got, err)
		}
		r.Close()
	}
}

// replaced: if an object is replaced or deleted while it is read, the read returns the old bytes or fails.
func (s suite) replaced(t *testing.T) {
	layout := fresh("replaced")
	one, two := random(t, 2*storage.MinPart), random(t, 2*storage.MinPart)
	parted := func(at file.Location, content []byte) {
		m := begin(t, s, at)
		parts := []file.Part{s.part(t, at, m, 1, content[:storage.MinPart]),
			s.part(t, at, m, 2, content[storage.MinPart:])}
		if err := s.Complete(t.Context(), at, m, parts); err != nil {
			t.Fatal(err)
		}
	}
	whole := func(at file.Location, content []byte) { put(t, s, at, content) }
	deleted := func(at file.Location, _ []byte) {
		if err := s.Delete(t.Context(), at); err != nil {
			t.Error(err)
		}
	}
	for name, open := range readers(s) {
		for i, write := range []func(file.Location, []byte){whole, parted} {
			for j, replace := range []func(file.Location, []byte){whole, parted, deleted} {
				at := layout.Object(1, file.NewID())
				write(at, one)
				r, err := open(t.Context(), at, "", 0, int64(len(one)))
				if err != nil {
					t.Fatal(err)
				}
				begun := make([]byte, 100)
				if _, err := io.ReadFull(r, begun); err != nil {
					t.Fatal(err)
				}
				var replaced sync.WaitGroup
				if s.quirks[WaitsForReaders] {
					replaced.Go(func() { replace(at, two) })
				} else {
					replace(at, two)
				}
				rest, err := io.ReadAll(r)
				replaced.Wait()
				got := append(begun, rest...)
				if !bytes.HasPrefix(one, got) || err == nil && len(got) != len(one) {
					t.Errorf("%s, write %d, replaced by %d: %d bytes of two objects, or too few, and %v", name, i, j, len(got), err)
				}
				r.Close()
			}
		}
	}
}

// closed: a body can be closed before its end, and not read any more; its resources are free again.
func (s suite) closed(t *testing.T) {
	at := fresh("closed").Object(1, file.NewID())
	content := random(t, 1<<20)
	put(t, s, at, content)
	for name, open := range readers(s) {
		for range 50 {
			r, err := open(t.Context(), at, "", 0, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
				t.Fatal(name, err)
			}
			r.Close()
		}
	}
	holds(t, s, at, content)
}
