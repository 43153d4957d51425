package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"holdfast/file"
	"holdfast/storage"
)

// objects: an object is there as a whole, from the moment that Put returns until it is deleted.
func (s suite) objects(t *testing.T) {
	s.cases(t, testing.InternalTest{Name: "put", F: s.putAndDelete}, testing.InternalTest{Name: "missing", F: s.missing},
		testing.InternalTest{Name: "delete all", F: s.deleteAll},
		testing.InternalTest{Name: "repeated", F: s.repeated}, testing.InternalTest{Name: "at once", F: s.atOnce},
		testing.InternalTest{Name: "ended", F: s.ended}, testing.InternalTest{Name: "ping", F: s.ping})
}

func (s suite) putAndDelete(t *testing.T) {
	ctx, at := t.Context(), fresh("put").Object(1, file.NewID())
	for _, size := range []int{0, 1, 3 << 20} {
		content := random(t, size)
		etag, err := s.Put(ctx, at, "text/plain", bytes.NewReader(content), int64(size))
		if err != nil || etag == "" {
			t.Fatal(etag, err)
		}
		if o, err := s.Stat(ctx, at); err != nil || o.ETag != etag || o.Type != "text/plain" {
			t.Errorf("%+v %v, want %s", o, err, etag)
		}
		holds(t, s, at, content)
	}
	for range 2 { // a missing object can be deleted, too
		if err := s.Delete(ctx, at); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Stat(ctx, at); !errors.Is(err, file.ErrObjectMissing) {
			t.Errorf("after it was deleted: %v", err)
		}
		if l, err := s.List(ctx, at.Bucket, "", ""); err != nil || len(l) != 0 {
			t.Errorf("listed after it was deleted: %+v %v", l, err)
		}
	}
	content := random(t, 10)
	put(t, s, at, content)
	holds(t, s, at, content)
}

// deleteAll: those that are named are removed, whether or not they are there, and no others.
func (s suite) deleteAll(t *testing.T) {
	layout := fresh("all")
	bucket := layout.Object(1, "x").Bucket
	if err := storage.DeleteAll(t.Context(), s.Store, bucket, []string{"in/no/bucket", "nor/this"}); err != nil {
		t.Error("of a bucket that is not there:", err)
	}
	var keys []string
	for i := range 5 {
		at := layout.Object(1, file.ID(fmt.Sprintf("%d & <ü>", i)))
		put(t, s, at, []byte("content"))
		keys = append(keys, at.Key)
	}
	for _, some := range [][]string{nil, {keys[0]}, {keys[0], keys[1], "not/there", keys[2]}} {
		if err := storage.DeleteAll(t.Context(), s.Store, bucket, some); err != nil {
			t.Errorf("%q: %v", some, err)
		}
	}
	left, err := s.List(t.Context(), bucket, "", "")
	if err != nil || len(left) != 2 || left[0].Key != keys[3] || left[1].Key != keys[4] {
		t.Errorf("%+v are left, want %q; %v", left, keys[3:], err)
	}
}

func (s suite) missing(t *testing.T) {
	layout := fresh("missing")
	put(t, s, layout.Object(1, "other"), []byte("1"))
	for name, at := range map[string]file.Location{
		"object": layout.Object(1, file.NewID()), "bucket": layout.Object(77, file.NewID()),
	} {
		if _, err := s.Stat(t.Context(), at); !errors.Is(err, file.ErrObjectMissing) {
			t.Errorf("Stat, missing %s: %v", name, err)
		}
		for method, open := range readers(s) {
			if _, err := open(t.Context(), at, "", 0, 1); !errors.Is(err, file.ErrObjectMissing) ||
				errors.Is(err, file.ErrObjectChanged) {
				t.Errorf("%s, missing %s: %v", method, name, err)
			}
		}
		if err := s.Delete(t.Context(), at); err != nil {
			t.Errorf("Delete, missing %s: %v", name, err)
		}
	}
}

// repeated: the same bytes have the same result, and other bytes another ETag.
func (s suite) repeated(t *testing.T) {
	at := fresh("repeated").Object(1, file.NewID())
	one := put(t, s, at, []byte("one"))
	if again := put(t, s, at, []byte("one")); again != one {
		t.Errorf("put again: %s, before %s", again, one)
	}
	if two := put(t, s, at, []byte("two")); two == one {
		t.Errorf("other bytes have the same ETag: %s", two)
	}
	holds(t, s, at, []byte("two"))
}

// atOnce: after concurrent writes to one key the object is one of them, whole; other keys are unaffected.
func (s suite) atOnce(t *testing.T) {
	layout := fresh("once")
	shared := layout.Object(1, "shared")
	contents := map[byte][]byte{}
	for i := range byte(8) {
		contents[i] = bytes.Repeat([]byte{i}, 100_000+int(i))
	}
	var all sync.WaitGroup
	for i, content := range contents {
		all.Go(func() {
			for _, at := range []file.Location{shared, layout.Object(int64(1+i%2), file.ID(fmt.Sprint(i)))} {
				if _, err := s.Put(t.Context(), at, "", bytes.NewReader(content), int64(len(content))); err != nil {
					t.Errorf("%s: %v", at.Key, err)
				}
			}
		})
	}
	all.Wait()
	for i, content := range contents {
		holds(t, s, layout.Object(int64(1+i%2), file.ID(fmt.Sprint(i))), content)
	}
	last := read(t, s, shared, 0, 1)
	holds(t, s, shared, contents[last[0]])
}

// ended: a call whose context has ended fails, and destroys nothing.
func (s suite) ended(t *testing.T) {
	at := fresh("ended").Object(1, file.NewID())
	content := random(t, 2*storage.MinPart)
	put(t, s, at, content)
	m := begin(t, s, at)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := s.Open(ctx, at, "", 0, int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	calls := map[string]error{}
	_, calls["read"] = io.ReadAll(r)
	_, calls["put"] = s.Put(ctx, at, "", bytes.NewReader([]byte("late")), 4)
	_, calls["part"] = s.PutPart(ctx, at, m, 1, bytes.NewReader([]byte("late")), 4)
	_, calls["stat"] = s.Stat(ctx, at)
	_, calls["open"] = s.Open(ctx, at, "", 0, int64(len(content)))
	_, calls["list"] = s.List(ctx, at.Bucket, "", "")
	calls["complete"] = s.Complete(ctx, at, m, nil)
	for name, err := range calls {
		if !errors.Is(err, file.ErrUnavailable) && !errors.Is(err, context.Canceled) {
			t.Errorf("%s after the context has ended: %v", name, err)
		}
	}
	holds(t, s, at, content)
}

func (s suite) ping(t *testing.T) {
	if err := s.Ping(t.Context(), fresh("ping").Object(0, "").Bucket); err != nil {
		t.Error(err)
	}
}

// sizes: a body with fewer or more bytes than declared is an error, and nothing of it becomes visible.
func (s suite) sizes(t *testing.T) {
	ctx, at := t.Context(), fresh("sizes").Object(1, file.NewID())
	put(t, s, at, []byte("whole"))
	m := begin(t, s, at)
	bodies := []string{"", "short", "too long"}
	if s.quirks[EmptyWhenCut] {
		bodies = bodies[1:]
	}
	for _, body := range bodies {
		if _, err := s.Put(ctx, at, "", bytes.NewReader([]byte(body)), 6); !errors.Is(err, file.ErrStorageWrite) {
			t.Errorf("%q was stored as 6 bytes: %v", body, err)
		}
		if _, err := s.PutPart(ctx, at, m, 1, bytes.NewReader([]byte(body)), 6); !errors.Is(err, file.ErrStorageWrite) {
			t.Errorf("%q was stored as a part of 6 bytes: %v", body, err)
		}
	}
	if _, err := s.Put(ctx, at, "", failing{bytes.NewReader([]byte("half"))}, 6); !errors.Is(err, errBody) {
		t.Errorf("a body that can't be read: %v", err)
	}
	holds(t, s, at, []byte("whole"))
	for name, parts := range map[string][]file.Part{
		"none":         {},
		"unknown":      {{Number: 1, Size: 6, ETag: `"00000000000000000000000000000000"`}},
		"another size": {s.part(t, at, m, 2, []byte("part"))},
	} {
		if name == "another size" {
			parts[0].ETag = `"00000000000000000000000000000000"`
		}
		if err := s.Complete(ctx, at, m, parts); err == nil {
			t.Errorf("completed with parts that do not exist: %s", name)
		}
	}
	holds(t, s, at, []byte("whole"))
	if err := s.Abort(ctx, at, m.ID); err != nil {
		t.Error(err)
	}
}

var errBody = errors.New("this body can't be read")

// failing is a body that breaks off.
type failing struct{ *bytes.Reader }

func (f failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err == io.EOF {
		err = errBody
	}
	return n, err
}

func (f failing) WriteTo(w io.Writer) (int64, error) {
	n, err := f.Reader.WriteTo(w)
	if err == nil {
		err = errBody
	}
	return n, err
}

var _ storage.Opener = suite{}
