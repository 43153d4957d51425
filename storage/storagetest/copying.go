package storagetest

import (
	"bytes"
	"errors"
	"testing"

	"holdfast/file"
	"holdfast/storage"
)

// CopyWhole tests a store that copies objects by itself: it copies exactly the objects that it is told to.
func CopyWhole(t *testing.T, c Copier) {
	ctx := t.Context()
	layout := storage.Layout{BucketPrefix: "copy-" + string(file.NewID())[:8]}
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

// CopyParts tests a store that copies parts by itself.
func CopyParts(t *testing.T, c Copier) {
	ctx := t.Context()
	layout := storage.Layout{BucketPrefix: "copy-" + string(file.NewID())[:8]}
	content := random(t, storage.MinCopy+1000)
	to := layout.Object(1, file.NewID())
	m, err := c.BeginMultipart(ctx, to, "x/y", true)
	if err != nil {
		t.Fatal(err)
	}
	// Keys with every character that has a meaning in a URL or a header, and another bucket.
	var parts []file.Part
	var want []byte
	for i, key := range []string{string(file.NewID()), "tails/a b+c%20d/ü?x=1&y#z:@!$'()*,;=~", "last"} {
		from := layout.Object(int64(1+i%2), file.ID(key))
		etag, err := c.Put(ctx, from, "x/y", bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		offset, length := int64(i), int64(storage.MinCopy)
		if i == 2 {
			length = 1 // the last may be short
		}
		n := int32(i*3 + 1)
		got, err := c.CopyPart(ctx, from, etag, offset, length, to, m, n)
		if err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		parts, want = append(parts, got), append(want, content[offset:offset+length]...)
		if _, err := c.CopyPart(ctx, from, `"00000000000000000000000000000000"`, 0, storage.MinCopy, to, m,
			9); !errors.Is(err, file.ErrObjectMissing) {
			t.Errorf("%q under another tag: %v", key, err)
		}
	}
	if _, err := c.CopyPart(ctx, layout.Object(1, "missing"), "", 0, storage.MinCopy, to, m, 9); !errors.Is(err,
		file.ErrObjectMissing) {
		t.Errorf("a source that is not there: %v", err)
	}
	if _, err := c.CopyPart(ctx, layout.Object(1, "last"), "", 0, storage.MinCopy, to,
		file.Multipart{ID: string(file.NewID())}, 9); !errors.Is(err, storage.ErrNoUpload) {
		t.Errorf("an upload that is not there: %v", err)
	}
	if _, err := c.CopyPart(ctx, layout.Object(1, "last"), "", storage.MinCopy, 1001, to, m, 9); !errors.Is(err,
		file.ErrStorageWrite) {
		t.Errorf("more than there is: %v", err)
	}
	if err := c.Complete(ctx, to, m, parts); err != nil {
		t.Fatal(err)
	}
	if got := read(t, c, to, 0, int64(len(want))); !bytes.Equal(got, want) {
		t.Error("other bytes were copied")
	}
}
