package storage

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/s3test"
)

func TestListing(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { listing(t, shared.Client) })
	t.Run("versitygw", func(t *testing.T) {
		s := s3test.Start(t)
		c := New(Options{Endpoint: s.Endpoint, Region: s.Region, AccessKey: s.AccessKey, SecretKey: s.SecretKey})
		defer c.Close()
		listing(t, c)
	})
}

// listing is what the listings of every store have to do.
func listing(t *testing.T, c *Client) {
	ctx := t.Context()
	layout := Layout{BucketPrefix: "list-" + string(file.NewID())[:8]}
	at := layout.Object(3, "b")
	for _, f := range []func() (int, error){
		func() (int, error) { l, err := c.List(ctx, at.Bucket, "", ""); return len(l), err },
		func() (int, error) {
			n := 0
			err := c.Multiparts(ctx, at.Bucket, func(Begun) error { n++; return nil })
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
		if _, err := c.Put(ctx, file.Location{Bucket: at.Bucket, Key: key}, "text/plain", bytes.NewReader([]byte(content)), int64(len(content))); err != nil {
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
		if o.Key != keys[i] || o.Size != int64(len(fmt.Sprint(i*1000))) || o.ETag == "" || time.Since(o.Modified).Abs() > time.Hour {
			t.Errorf("%+v, want %s", o, keys[i])
		}
		if s, err := c.Stat(ctx, file.Location{Bucket: at.Bucket, Key: o.Key}); err != nil || s.ETag != o.ETag || s.Size != o.Size || s.Type != "text/plain" {
			t.Errorf("%s: %+v %v", o.Key, s, err)
		}
	}
	for after, want := range map[string]int{"a b": 4, "a a": 5, "ä": 0, Tails + "\U0010FFFF": 1} {
		if l, err := c.List(ctx, at.Bucket, "", after); err != nil || len(l) != want {
			t.Errorf("behind %q: %+v %v", after, l, err)
		}
	}
	if l, err := c.List(ctx, at.Bucket, Tails, ""); err != nil || len(l) != 1 || l[0].Key != "tails/x/1-2" {
		t.Errorf("%+v %v", l, err)
	}

	id, err := c.BeginMultipart(ctx, at, "text/plain", false)
	if err != nil {
		t.Fatal(err)
	}
	var begun []Begun
	if err := c.Multiparts(ctx, at.Bucket, func(b Begun) error { begun = append(begun, b); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(begun) != 1 || begun[0].Key != at.Key || !SameUpload(begun[0].ID, id) || SameUpload(begun[0].ID, id+"x") || time.Since(begun[0].Since).Abs() > time.Hour {
		t.Errorf("%+v, want %s", begun, id)
	}
	stop := errors.New("stop")
	if err := c.Multiparts(ctx, at.Bucket, func(Begun) error { return stop }); err != stop {
		t.Error(err)
	}
	if err := c.Abort(ctx, at, begun[0].ID); err != nil {
		t.Error(err)
	}
	if b, err := c.Buckets(ctx, layout.BucketPrefix+"-"); err != nil || !slices.Equal(b, []string{at.Bucket}) {
		t.Errorf("%q %v", b, err)
	}
}

// The store copies whole objects by itself, and no other ones than it was told.
func TestCopyWhole(t *testing.T) {
	ctx, c := t.Context(), shared.Client
	layout := Layout{BucketPrefix: "copy-" + string(file.NewID())[:8]}
	from, to := layout.Object(1, "x +%20ä"), layout.Object(2, "y")
	etag, err := c.Put(ctx, from, "text/plain", bytes.NewReader([]byte("abc")), 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Copy(ctx, from, etag, to, "image/png"); err != nil {
		t.Fatal(err)
	}
	if o, err := c.Stat(ctx, to); err != nil || o.Type != "image/png" || o.Size != 3 {
		t.Errorf("%+v %v", o, err)
	}
	if err := c.Copy(ctx, from, `"another"`, to, "image/png"); !errors.Is(err, file.ErrObjectMissing) {
		t.Error(err)
	}
	if err := c.Copy(ctx, layout.Object(1, "none"), etag, to, "image/png"); !errors.Is(err, file.ErrObjectMissing) {
		t.Error(err)
	}
}

func TestTraces(t *testing.T) {
	l := Layout{BucketPrefix: "x"}
	for bucket, want := range map[string]int64{"x-7": 7, "x-07": 0, "x-0": 0, "x--7": 0, "x-": 0, "xy-7": 0, "x-7a": 0, "y-7": 0, "x-+7": 0} {
		if id, ours := l.Account(bucket); ours != (want > 0) || ours && id != want {
			t.Errorf("%s: %d %v", bucket, id, ours)
		}
	}
	for key, want := range map[string]string{"a b": "a b", "a/b": "a/b", "tails/u/1-2": "u", TailKey("v", 1, 2): "v",
		FencedKey("v", 3): "v", FencedKey("a/b", 3): "a/b", "objects/v": "objects/v", "objects/v/03": "objects/v/03", "objects/v/x": "objects/v/x"} {
		if id, tail, err := Owner(key); err != nil || string(id) != want || tail != (key[0] == 't') {
			t.Errorf("%s: %s %v %v", key, id, tail, err)
		}
	}
	for _, key := range []string{"", "a/", "tails/", "tails//1-2", ".."} {
		if id, _, err := Owner(key); err == nil {
			t.Errorf("%q is %q's", key, id)
		}
	}
}
