package storagetest

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"holdfast/file"
	"holdfast/storage"
)

// Run runs the whole suite. Every store passes it; a store that copies by itself also passes CopyWhole and CopyParts.
func Run(t *testing.T, c storage.Store) {
	t.Run("objects", func(t *testing.T) { Objects(t, c) })
	t.Run("listing", func(t *testing.T) { Listing(t, c) })
	t.Run("keys", func(t *testing.T) { keys(t, c) })
	t.Run("sizes", func(t *testing.T) { sizes(t, c) })
	t.Run("parts", func(t *testing.T) { parts(t, c) })
	if copier, ok := c.(Copier); ok {
		t.Run("copy", func(t *testing.T) { CopyWhole(t, copier) })
		t.Run("copy parts", func(t *testing.T) { CopyParts(t, copier) })
	}
}

// keys: every key is a name of its own, and is listed as it was written. Not "a" beside "a/b": see storage.Store.
func keys(t *testing.T, c storage.Store) {
	ctx := t.Context()
	bucket := "keys-" + string(file.NewID())[:8] + "-1"
	names := []string{"a", "A", "a b", "a+b", "a%20b", "a%2Bb", "ä", "dir/b", "a&b=c?d#e",
		"~!@$'()*,;:[]{}|^`\"<>", "日本語", "🎉"}
	for i, key := range names {
		at := file.Location{Bucket: bucket, Key: key}
		if _, err := c.Put(ctx, at, "", bytes.NewReader([]byte{byte(i)}), 1); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
	for i, key := range names {
		if got := read(t, c, file.Location{Bucket: bucket, Key: key}, 0, 1); got[0] != byte(i) {
			t.Errorf("%q has the bytes of %q", key, names[got[0]])
		}
	}
	listed := map[string]bool{}
	all, err := c.List(ctx, bucket, "", "")
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range all {
		if listed[o.Key] = true; i > 0 && all[i-1].Key >= o.Key {
			t.Errorf("%q is listed before %q", all[i-1].Key, o.Key)
		}
	}
	for _, key := range names {
		if !listed[key] {
			t.Errorf("%q is not listed", key)
		}
	}
}

// sizes: a body that is shorter than its size is an error, and nothing is visible of it.
func sizes(t *testing.T, c storage.Store) {
	ctx, at := t.Context(), storage.Layout{BucketPrefix: "sizes-" + string(file.NewID())[:8]}.Object(1, file.NewID())
	if _, err := c.Put(ctx, at, "", bytes.NewReader([]byte("whole")), 5); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Put(ctx, at, "", bytes.NewReader([]byte("short")), 6); err == nil {
		t.Error("a body that is too short was stored")
	}
	if got := read(t, c, at, 0, 5); string(got) != "whole" {
		t.Errorf("%q took the place of the object", got)
	}
	m, err := c.BeginMultipart(ctx, at, "", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutPart(ctx, at, m, 1, bytes.NewReader([]byte("short")), 6); err == nil {
		t.Error("a part that is too short was stored")
	}
	if err := c.Abort(ctx, at, m.ID); err != nil {
		t.Error(err)
	}
}

// parts: they come in any order, and again; those that are not named are gone; what is done can be asked for once more.
func parts(t *testing.T, c storage.Store) {
	ctx, at := t.Context(), storage.Layout{BucketPrefix: "parts-" + string(file.NewID())[:8]}.Object(1, file.NewID())
	m, err := c.BeginMultipart(ctx, at, "video/mp4", false)
	if err != nil {
		t.Fatal(err)
	}
	body := random(t, 2*storage.MinPart+10)
	pieces := map[int32][]byte{
		2: body[:storage.MinPart], 5: body[storage.MinPart : 2*storage.MinPart], 9: body[2*storage.MinPart:],
	}
	stored := map[int32]file.Part{}
	for _, n := range []int32{9, 2, 5, 2} {
		if stored[n], err = c.PutPart(ctx, at, m, n, bytes.NewReader(pieces[n]), int64(len(pieces[n]))); err != nil {
			t.Fatalf("part %d: %v", n, err)
		}
	}
	if _, err := c.PutPart(ctx, at, m, 7, bytes.NewReader([]byte("a failed attempt")), 16); err != nil {
		t.Fatal(err)
	}
	list := []file.Part{stored[2], stored[5], stored[9]}
	if err := c.Complete(ctx, at, m, list); err != nil {
		t.Fatal(err)
	}
	first, err := c.Stat(ctx, at)
	if err != nil || first.Size != int64(len(body)) || first.Type != "video/mp4" {
		t.Fatalf("%+v %v", first, err)
	}
	if err := c.Complete(ctx, at, m, list); err != nil && !errors.Is(err, storage.ErrNoUpload) {
		t.Errorf("completed again: %v", err)
	}
	if _, err := c.PutPart(ctx, at, m, 11, bytes.NewReader([]byte("late")), 4); !errors.Is(err, storage.ErrNoUpload) {
		t.Errorf("a late part: %v", err)
	}
	if err := c.Abort(ctx, at, m.ID); err != nil {
		t.Errorf("aborted after it was completed: %v", err)
	}
	if again, err := c.Stat(ctx, at); err != nil || again != first {
		t.Errorf("late calls changed the object: %+v %v, before %+v", again, err, first)
	}
	r, err := c.Open(ctx, at, first.ETag, 0, first.Size)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
		t.Errorf("other bytes came back: %d, %v", len(got), err)
	}
	if left, err := c.Leftovers(ctx, at.Bucket, file.ID(at.Key)); err != nil || len(left.Keys)+len(left.Multiparts) != 0 {
		t.Errorf("left: %+v %v", left, err)
	}
}
