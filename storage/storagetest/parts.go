package storagetest

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// begin begins a multipart upload.
func begin(t *testing.T, c storage.Store, at file.Location) file.Multipart {
	t.Helper()
	m, err := c.BeginMultipart(t.Context(), at, "video/mp4", false)
	if err != nil || m.ID == "" {
		t.Fatalf("begin: %+v %v", m, err)
	}
	return m
}

// part stores a part.
func (s suite) part(t *testing.T, at file.Location, m file.Multipart, number int32, content []byte) file.Part {
	t.Helper()
	p, err := s.PutPart(t.Context(), at, m, number, bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatalf("part %d: %v", number, err)
	}
	if p.Number != number || p.Size != int64(len(content)) || p.ETag == "" {
		t.Errorf("part %d: %+v", number, p)
	}
	return p
}

func (s suite) multiparts(t *testing.T) {
	s.cases(t, testing.InternalTest{Name: "order", F: s.order}, testing.InternalTest{Name: "empty", F: s.empty},
		testing.InternalTest{Name: "late", F: s.late}, testing.InternalTest{Name: "abort", F: s.abort},
		testing.InternalTest{Name: "list", F: s.listParts},
		testing.InternalTest{Name: "two", F: s.twoUploads}, testing.InternalTest{Name: "race", F: s.completeAtOnce})
}

// order: parts may be stored in any order, concurrently, again, and with gaps between their numbers. Parts that
// Complete does not name are removed. Nothing is visible before.
func (s suite) order(t *testing.T) {
	ctx, at := t.Context(), fresh("order").Object(1, file.NewID())
	m := begin(t, s, at)
	content := random(t, 2*storage.MinPart+10)
	pieces := map[int32][]byte{
		2: content[:storage.MinPart], 5: content[storage.MinPart : 2*storage.MinPart], 10000: content[2*storage.MinPart:],
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	stored := map[int32]file.Part{}
	for n, piece := range pieces {
		all.Go(func() {
			p := s.part(t, at, m, n, piece)
			mu.Lock()
			defer mu.Unlock()
			stored[n] = p
		})
	}
	all.Wait()
	if again := s.part(t, at, m, 2, pieces[2]); again.ETag != stored[2].ETag {
		t.Errorf("the same part again: %+v, before %+v", again, stored[2])
	}
	s.part(t, at, m, 7, []byte("a failed attempt"))
	if _, err := s.Stat(ctx, at); !errors.Is(err, file.ErrObjectMissing) {
		t.Fatalf("seen before it is complete: %v", err)
	}
	if l, err := s.List(ctx, at.Bucket, "", ""); err != nil || len(l) != 0 {
		t.Errorf("listed before it is complete: %+v %v", l, err)
	}
	if err := s.Complete(ctx, at, m, []file.Part{stored[2], stored[5], stored[10000]}); err != nil {
		t.Fatal(err)
	}
	holds(t, s, at, content)
	if o, err := s.Stat(ctx, at); err != nil || o.Type != "video/mp4" || time.Since(o.Modified).Abs() > time.Hour {
		t.Errorf("%+v %v", o, err)
	}
	left, err := s.Leftovers(ctx, at.Bucket, file.ID(at.Key))
	if err != nil || len(left.Keys)+len(left.Multiparts) != 0 {
		t.Errorf("left: %+v %v", left, err)
	}
	if err := s.Delete(ctx, at); err != nil {
		t.Error(err)
	}
	if _, err := s.Stat(ctx, at); !errors.Is(err, file.ErrObjectMissing) {
		t.Errorf("after it was deleted: %v", err)
	}
}

// empty: the last part may have any size, even 0.
func (s suite) empty(t *testing.T) {
	at := fresh("empty").Object(1, file.NewID())
	for _, last := range [][]byte{nil, []byte("1")} {
		m := begin(t, s, at)
		if err := s.Complete(t.Context(), at, m, []file.Part{s.part(t, at, m, 1, last)}); err != nil {
			t.Fatal(err)
		}
		holds(t, s, at, last)
	}
}

// late: calls after Complete change nothing.
func (s suite) late(t *testing.T) {
	ctx, at := t.Context(), fresh("late").Object(1, file.NewID())
	m := begin(t, s, at)
	list := []file.Part{s.part(t, at, m, 1, []byte("the whole"))}
	for _, wrong := range [][]file.Part{
		{{Number: 2, Size: 9, ETag: list[0].ETag}},
		{{Number: 1, Size: 9, ETag: `"00000000000000000000000000000000"`}},
	} {
		if err := s.Complete(ctx, at, m, wrong); err == nil || errors.Is(err, storage.ErrNoUpload) {
			t.Errorf("completed of parts that are not there: %v", err)
		}
	}
	if err := s.Complete(ctx, at, m, list); err != nil {
		t.Fatal(err)
	}
	first, err := s.Stat(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Complete(ctx, at, m, list); err != nil && !errors.Is(err, storage.ErrNoUpload) {
			t.Errorf("completed again: %v", err)
		}
		if _, err := s.PutPart(ctx, at, m, 1, bytes.NewReader([]byte("late part")), 9); !errors.Is(err,
			storage.ErrNoUpload) {
			t.Errorf("a late part: %v", err)
		}
		if err := s.Abort(ctx, at, m.ID); err != nil {
			t.Errorf("aborted after it was completed: %v", err)
		}
	}
	if now, err := s.Stat(ctx, at); err != nil || now != first {
		t.Errorf("late calls changed the object: %+v %v, before %+v", now, err, first)
	}
	holds(t, s, at, []byte("the whole"))
	if err := s.Delete(ctx, at); err != nil {
		t.Fatal(err)
	}
	if err := s.Complete(ctx, at, m, list); !errors.Is(err, storage.ErrNoUpload) {
		t.Errorf("completed after the object was deleted: %v", err)
	}
	if _, err := s.Stat(ctx, at); !errors.Is(err, file.ErrObjectMissing) {
		t.Errorf("a late Complete made the object again: %v", err)
	}
}

// abort: an aborted upload is gone with its parts, and can't be continued.
func (s suite) abort(t *testing.T) {
	ctx, at := t.Context(), fresh("abort").Object(2, file.NewID())
	put(t, s, at, []byte("was there before"))
	m := begin(t, s, at)
	list := []file.Part{s.part(t, at, m, 1, []byte("part"))}
	for range 2 {
		if err := s.Abort(ctx, at, m.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.PutPart(ctx, at, m, 1, bytes.NewReader([]byte("part")), 4); !errors.Is(err, storage.ErrNoUpload) {
			t.Errorf("a part of an aborted upload: %v", err)
		}
		if err := s.Complete(ctx, at, m, list); !errors.Is(err, storage.ErrNoUpload) && !s.quirks[CompletesUnknown] {
			t.Errorf("completed after it was aborted: %v", err)
		}
		if left, err := s.Leftovers(ctx, at.Bucket, file.ID(at.Key)); err != nil || len(left.Multiparts) != 0 {
			t.Errorf("left: %+v %v", left, err)
		}
	}
	ids := []string{"none", string(file.NewID())}
	if !s.quirks[CompletesUnknown] && !s.quirks[OddUploads] {
		ids = append(ids, "", ".", "..", "../x", "/", at.Key)
	}
	for _, id := range ids {
		unknown := file.Multipart{ID: id}
		if _, err := s.PutPart(ctx, at, unknown, 1, bytes.NewReader([]byte("part")), 4); !errors.Is(err,
			storage.ErrNoUpload) {
			t.Errorf("a part of the upload %q: %v", id, err)
		}
		if err := s.Complete(ctx, at, unknown, list); !errors.Is(err, storage.ErrNoUpload) && !s.quirks[CompletesUnknown] {
			t.Errorf("completed the upload %q: %v", id, err)
		}
		if err := s.Abort(ctx, at, id); err != nil {
			t.Errorf("aborted the upload %q: %v", id, err)
		}
	}
	holds(t, s, at, []byte("was there before"))
}

// twoUploads: several uploads for one key are independent, and so are their parts.
func (s suite) twoUploads(t *testing.T) {
	ctx, at := t.Context(), fresh("two").Object(1, file.NewID())
	one, two := begin(t, s, at), begin(t, s, at)
	parts := []file.Part{s.part(t, at, one, 1, []byte("the first"))}
	other := []file.Part{s.part(t, at, two, 1, []byte("the second"))}
	if one.ID == two.ID {
		t.Fatal("two uploads have one id")
	}
	if err := s.Complete(ctx, at, two, parts); err == nil {
		t.Error("completed with another upload's parts")
	}
	if err := s.Complete(ctx, at, one, parts); err != nil {
		t.Fatal(err)
	}
	holds(t, s, at, []byte("the first"))
	if err := s.Complete(ctx, at, two, other); err != nil {
		t.Fatal(err)
	}
	holds(t, s, at, []byte("the second"))
}

// completeAtOnce: concurrent calls of Complete for one upload make one object.
func (s suite) completeAtOnce(t *testing.T) {
	ctx, at := t.Context(), fresh("race").Object(1, file.NewID())
	m := begin(t, s, at)
	content := random(t, storage.MinPart+1)
	list := []file.Part{s.part(t, at, m, 1, content[:storage.MinPart]), s.part(t, at, m, 2, content[storage.MinPart:])}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := s.Complete(ctx, at, m, list); err != nil && !errors.Is(err, storage.ErrNoUpload) &&
				!errors.Is(err, file.ErrUnavailable) {
				t.Errorf("completed at once: %v", err)
			}
		})
	}
	all.Wait()
	holds(t, s, at, content)
}
