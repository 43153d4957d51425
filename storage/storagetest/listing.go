package storagetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// Listing is what the listings of every store have to do.
func Listing(t *testing.T, c storage.Store) {
	ctx := t.Context()
	layout := storage.Layout{BucketPrefix: "list-" + string(file.NewID())[:8]}
	at := layout.Object(3, "b")
	for _, f := range []func() (int, error){
		func() (int, error) { l, err := c.List(ctx, at.Bucket, "", ""); return len(l), err },
		func() (int, error) {
			n := 0
			err := c.Multiparts(ctx, at.Bucket, func(storage.Begun) error { n++; return nil })
			return n, err
		},
		func() (int, error) { b, err := c.Buckets(ctx, layout.BucketPrefix); return len(b), err },
	} {
		if n, err := f(); n != 0 || err != nil {
			t.Errorf("a bucket that is not there: %d %v", n, err)
		}
	}
	put := func(key, content string) {
		t.Helper()
		if _, err := c.Put(ctx, file.Location{Bucket: at.Bucket, Key: key}, "text/plain",
			bytes.NewReader([]byte(content)), int64(len(content))); err != nil {
			t.Fatal(err)
		}
	}
	keys := []string{"B", "a", "a b", "a-b", "b", "tails/x/1-2", "ä"}
	for i, key := range keys {
		put(key, fmt.Sprint(i*1000))
	}
	all, err := c.List(ctx, at.Bucket, "", "")
	if err != nil || len(all) != len(keys) {
		t.Fatalf("%+v %v", all, err)
	}
	for i, o := range all {
		if o.Key != keys[i] || o.Size != int64(len(fmt.Sprint(i*1000))) || o.ETag == "" ||
			time.Since(o.Modified).Abs() > time.Hour {
			t.Errorf("%+v, want %s", o, keys[i])
		}
		if s, err := c.Stat(ctx, file.Location{Bucket: at.Bucket, Key: o.Key}); err != nil || s.ETag != o.ETag ||
			s.Size != o.Size || s.Type != "text/plain" {
			t.Errorf("%s: %+v %v", o.Key, s, err)
		}
	}
	for after, want := range map[string]int{"a b": 4, "a a": 5, "ä": 0, storage.Tails + "\U0010FFFF": 1} {
		if l, err := c.List(ctx, at.Bucket, "", after); err != nil || len(l) != want {
			t.Errorf("behind %q: %+v %v", after, l, err)
		}
	}
	if l, err := c.List(ctx, at.Bucket, storage.Tails, ""); err != nil || len(l) != 1 || l[0].Key != "tails/x/1-2" {
		t.Errorf("%+v %v", l, err)
	}
	multiparts(t, c, at)
	if b, err := c.Buckets(ctx, layout.BucketPrefix+"-"); err != nil || !slices.Equal(b, []string{at.Bucket}) {
		t.Errorf("%q %v", b, err)
	}
}

// multiparts: what was begun is listed, until it is aborted.
func multiparts(t *testing.T, c storage.Store, at file.Location) {
	ctx := t.Context()
	m, err := c.BeginMultipart(ctx, at, "text/plain", false)
	if err != nil {
		t.Fatal(err)
	}
	var begun []storage.Begun
	if err := c.Multiparts(ctx, at.Bucket, func(b storage.Begun) error {
		begun = append(begun,
			b)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(begun) != 1 || begun[0].Key != at.Key || begun[0].ID != m.ID || time.Since(begun[0].Since).Abs() > time.Hour {
		t.Errorf("%+v, want %+v", begun, m)
	}
	stop := errors.New("stop")
	if err := c.Multiparts(ctx, at.Bucket, func(storage.Begun) error { return stop }); err != stop {
		t.Error(err)
	}
	if err := c.Abort(ctx, at, begun[0].ID); err != nil {
		t.Error(err)
	}
}
