// Package storagetest is the contract of storage.Store as a suite, which every store has to pass.
package storagetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"testing"

	"holdfast/file"
	"holdfast/storage"
)

// Copier is a store that copies by itself.
type Copier interface {
	storage.Store
	storage.Copier
}

func random(t testing.TB, n int) []byte {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

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

// Objects is what every store does with objects.
func Objects(t *testing.T, c storage.Store) {
	layout := storage.Layout{BucketPrefix: "suite-" + string(file.NewID())[:8]}
	for name, test := range map[string]func(*testing.T, storage.Store, storage.Layout){
		"whole object": wholeObject,
		"multipart":    multipart,
		"abort":        abort,
		"missing":      missing,
		"replaced":     replaced,
		"ping":         ping,
	} {
		t.Run(name, func(t *testing.T) { test(t, c, layout) })
	}
}

func wholeObject(t *testing.T, c storage.Store, layout storage.Layout) {
	ctx := t.Context()
	at := layout.Object(1, file.NewID())
	for _, size := range []int{0, 1, 3 << 20} {
		body := random(t, size)
		etag, err := c.Put(ctx, at, "text/plain", bytes.NewReader(body), int64(size))
		if err != nil || etag == "" {
			t.Fatal(etag, err)
		}
		o, err := c.Stat(ctx, at)
		if err != nil || o.Size != int64(size) || o.ETag != etag {
			t.Fatalf("%+v %v, want %d %s", o, err, size, etag)
		}
		if got := read(t, c, at, 0, int64(size)); !bytes.Equal(got, body) {
			t.Fatal("other bytes came back")
		}
	}
	if err := c.Delete(ctx, at); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(ctx, at); err != nil {
		t.Fatalf("deleting twice: %v", err)
	}
}

func multipart(t *testing.T, c storage.Store, layout storage.Layout) {
	ctx := t.Context()
	at := layout.Object(2, file.NewID())
	m, err := c.BeginMultipart(ctx, at, "video/mp4", false)
	if err != nil {
		t.Fatal(err)
	}
	body := random(t, 11<<20)
	var parts []file.Part
	for i, cut := range [][2]int{{0, 5 << 20}, {5 << 20, 10 << 20}, {10 << 20, 11 << 20}} {
		n := int32(2*i + 3) // numbers may have gaps
		b := body[cut[0]:cut[1]]
		part, err := c.PutPart(ctx, at, m, n, bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if part.Number != n || part.Size != int64(len(b)) || part.ETag == "" {
			t.Fatalf("%+v", part)
		}
		part.Offset = int64(cut[0])
		parts = append(parts, part)
	}
	if _, err := c.Stat(ctx, at); !errors.Is(err, file.ErrObjectMissing) {
		t.Fatalf("seen before it is complete: %v", err)
	}
	if err := c.Complete(ctx, at, m, parts); err != nil {
		t.Fatal(err)
	}
	if got := read(t, c, at, 0, int64(len(body))); !bytes.Equal(got, body) {
		t.Fatal("other bytes came back")
	}
	for offset, length := range map[int64]int64{0: 11 << 20, 5<<20 - 3: 7, 11<<20 - 1: 1} {
		r, err := c.Read(ctx, at, "", offset, length)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if r.Close(); err != nil || !bytes.Equal(got, body[offset:offset+length]) {
			t.Fatalf("Read of %d bytes from %d on: %d bytes, %v", length, offset, len(got), err)
		}
	}
	if got := read(t, c, at, 5<<20-3, 7); !bytes.Equal(got, body[5<<20-3:5<<20+4]) {
		t.Fatal("other bytes in a range")
	}
}

func abort(t *testing.T, c storage.Store, layout storage.Layout) {
	ctx := t.Context()
	at := layout.Object(2, file.NewID())
	m, err := c.BeginMultipart(ctx, at, "video/mp4", false)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.Abort(ctx, at, m.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.PutPart(ctx, at, m, 1, bytes.NewReader(nil), 0); !errors.Is(err, storage.ErrNoUpload) {
		t.Fatalf("a part of an aborted upload: %v", err)
	}
}

func missing(t *testing.T, c storage.Store, layout storage.Layout) {
	ctx := t.Context()
	at := layout.Object(1, file.NewID())
	if _, err := c.Stat(ctx, at); !errors.Is(err, file.ErrObjectMissing) {
		t.Error(err)
	}
	if _, err := c.Open(ctx, at, "", 0, 1); !errors.Is(err, file.ErrObjectMissing) {
		t.Error(err)
	}
	if _, err := c.Read(ctx, at, "", 0, 1); !errors.Is(err, file.ErrObjectMissing) ||
		errors.Is(err, file.ErrObjectChanged) {
		t.Error(err)
	}
	if _, err := c.Open(ctx, layout.Object(77, "x"), "", 0, 1); !errors.Is(err, file.ErrObjectMissing) {
		t.Errorf("in a bucket that is missing too: %v", err)
	}
}

func replaced(t *testing.T, c storage.Store, layout storage.Layout) {
	ctx := t.Context()
	at := layout.Object(1, file.NewID())
	etag, err := c.Put(ctx, at, "text/plain", bytes.NewReader([]byte("one")), 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Put(ctx, at, "text/plain", bytes.NewReader([]byte("two")), 3); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Open(ctx, at, etag, 0, 3); !errors.Is(err, file.ErrObjectMissing) {
		t.Errorf("another object under the old tag: %v", err)
	}
	for what, read := range map[string]func(context.Context, file.Location, string, int64, int64) (io.ReadCloser,
		error){"Open": c.Open, "Read": c.Read} {
		if _, err := read(ctx, at, etag, 0, 3); !errors.Is(err, file.ErrObjectChanged) {
			t.Errorf("%s another object under the old tag: %v", what, err)
		}
		if _, err := read(ctx, at, "", 0, 4); !errors.Is(err, file.ErrObjectChanged) {
			t.Errorf("%s a longer range than there is: %v", what, err)
		}
		if _, err := read(ctx, at, "", 4, 1); !errors.Is(err, file.ErrObjectChanged) {
			t.Errorf("%s a range behind the end: %v", what, err)
		}
		if r, err := read(ctx, at, "", 1, 2); err != nil {
			t.Errorf("%s after errors: %v", what, err)
		} else {
			r.Close()
		}
	}
}

func ping(t *testing.T, c storage.Store, layout storage.Layout) {
	ctx := t.Context()
	if err := c.Ping(ctx, layout.BucketPrefix+"-0"); err != nil {
		t.Error(err)
	}
}
