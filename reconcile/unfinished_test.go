package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
	"holdfast/reconcile"
	"holdfast/storage"
)

func TestMain(m *testing.M) { uploadtest.Main(m) }

// flip changes one byte of a file.
func flip(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[7] ^= 1
	return os.WriteFile(path, b, 0o600)
}

func cut(path string) error { return os.Truncate(path, 50) }

// found runs the checker and returns the findings, as "kind: what was done", in order.
func found(t *testing.T, w *uploadtest.World, store storage.Store, o reconcile.Options) (all []string) {
	t.Helper()
	o.Now = time.Now
	c := &reconcile.Checker{Rows: w.Rows, Objects: store, Layout: w.Layout, Options: o,
		Report: func(f reconcile.Finding) error {
			all = append(all, fmt.Sprintf("%s: %s", f.Kind, f.Done))
			return nil
		}}
	if err := c.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// unfinished begins an upload of two parts and a tail, and returns its URL.
func unfinished(w *uploadtest.World) string {
	w.T.Helper()
	body := uploadtest.Content(2*uploadtest.PartSize + 300)
	url := w.Create(len(body))
	status, _, err := w.Patch(w.T.Context(), url, 0, body[:2*uploadtest.PartSize+100])
	if err != nil || status != http.StatusNoContent {
		w.T.Fatal(status, err)
	}
	return url
}

// first and all are the files of the store that a case damages.
func first(paths []string) []string { return paths[:1] }
func all(paths []string) []string   { return paths }

// Everything that an unfinished upload needs and the store has lost is found; what only its bytes show, by reading
// them. With Fix the upload is ended, and is in order from then on.
func TestUnfinishedUploads(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		for _, c := range []struct {
			name, kind string
			which      func([]string) []string
			damage     func(string) error
			deep       bool // only the bytes show it
			want       []string
		}{
			{"part removed", "parts", first, os.Remove, false, []string{"upload-without-part"}},
			{"parts removed", "parts", all, os.Remove, false, []string{"upload-without-part", "upload-without-part"}},
			{"part cut", "parts", first, cut, false, []string{"damaged-part"}},
			{"part flipped", "parts", first, flip, true, []string{"damaged-part"}},
			{"parts flipped", "parts", all, flip, true, []string{"damaged-part", "damaged-part"}},
			{"upload removed", "uploads", first, os.Remove, false, []string{"upload-without-parts"}},
			{"tail removed", "objects", first, os.Remove, false, []string{"upload-without-tail"}},
			{"tail cut", "objects", first, cut, false, []string{"damaged-tail"}},
			{"tail flipped", "objects", first, flip, true, []string{"damaged-tail"}},
		} {
			w.Sub(c.name, func() {
				url := unfinished(w)
				if got := found(w.T, w, uploadtest.Store(), reconcile.Options{Deep: true}); len(got) != 0 {
					w.T.Errorf("nothing is wrong yet: %v", got)
				}
				for _, path := range c.which(w.Files(c.kind)) {
					if err := c.damage(path); err != nil {
						w.T.Fatal(err)
					}
				}
				expect(w, c.want, c.deep)
				if w.Lives(uploadtest.ID(url)) {
					w.T.Error("the upload was not ended")
				}
				_ = w.Start().Sweep(w.T.Context())
			})
		}
	})
}

// expect checks that findings are there, in the modes in which they can be seen, and that Fix ends them.
func expect(w *uploadtest.World, want []string, deep bool) {
	w.T.Helper()
	done := func(what string) (lines []string) {
		for _, kind := range want {
			lines = append(lines, kind+": "+what)
		}
		return lines
	}
	shallow := done("")
	if deep {
		shallow = nil
	}
	for _, step := range []struct {
		options reconcile.Options
		want    []string
	}{
		{reconcile.Options{}, shallow},
		{reconcile.Options{Deep: true}, done("")},
		{reconcile.Options{Deep: true, Fix: true}, done("upload ended")},
		{reconcile.Options{Deep: true}, nil},
	} {
		if got := found(w.T, w, uploadtest.Store(), step.options); !slices.Equal(got, step.want) {
			w.T.Errorf("%+v: %v, want %v", step.options, got, step.want)
		}
	}
}

// The objects of partial uploads that have all their bytes are looked at, too.
func TestPartialUploads(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		for name, c := range map[string]struct {
			damage func(string) error
			deep   bool
			want   string
		}{
			"removed": {os.Remove, false, "partial-without-object"},
			"cut":     {cut, false, "damaged-partial"},
			"flipped": {flip, true, "damaged-partial"},
		} {
			w.Sub(name, func() {
				w.Partials(uploadtest.Content(200))
				if err := c.damage(w.Files("objects")[0]); err != nil {
					w.T.Fatal(err)
				}
				want := []string{c.want}
				expect(w, want, c.deep)
				_ = w.Start().Sweep(w.T.Context())
			})
		}
	})
}

// other is a store that knows less than the real one.
type other struct {
	storage.Store
	err error
}

func (o other) Stat(context.Context, file.Location) (storage.Object, error) {
	return storage.Object{}, o.err
}

func (o other) Parts(context.Context, file.Location, file.Multipart, int32) ([]file.Part, error) {
	return nil, o.err
}

func (o other) Open(context.Context, file.Location, string, int64, int64) (io.ReadCloser, error) {
	return nil, o.err
}

// A store that has not even the bucket may be another one: what is missing is reported, and no upload is ended.
func TestAnotherStoreEndsNothing(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		url := unfinished(w)
		for range 2 {
			got := found(w.T, w, other{uploadtest.Store(), storage.ErrNoBucket}, reconcile.Options{Fix: true, Deep: true})
			if strings.Join(got, ", ") != "upload-without-parts: , upload-without-tail: " {
				w.T.Errorf("found %v", got)
			}
		}
		if !w.Lives(uploadtest.ID(url)) {
			w.T.Error("the upload was ended")
		}
	})
}

// repeating is a store that answers every request for parts with the first page.
type repeating struct{ storage.Store }

func (r repeating) Parts(ctx context.Context, at file.Location, m file.Multipart, _ int32) ([]file.Part, error) {
	return r.Store.Parts(ctx, at, m, 0)
}

// A list of parts that never ends ends the comparison, with an error.
func TestPartsAreListedWithoutEnd(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		unfinished(w)
		c := &reconcile.Checker{Rows: w.Rows, Objects: repeating{uploadtest.Store()}, Layout: w.Layout,
			Report: func(reconcile.Finding) error { return nil }, Options: reconcile.Options{Now: time.Now}}
		if err := c.Run(w.T.Context()); !errors.Is(err, file.ErrStorageRead) {
			w.T.Error(err)
		}
	})
}

// Parts of a file whose record was damaged, and which was deleted then, are found, and removed only when that is asked.
func TestPartsWithoutAnObject(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		body := uploadtest.Content(uploadtest.PartSize + 300)
		url := w.Create(len(body))
		if status, _, err := w.Patch(w.T.Context(), url, 0, body); err != nil || status != http.StatusNoContent {
			w.T.Fatal(status, err)
		}
		if err := cut(w.Files("objects")[0]); err != nil {
			w.T.Fatal(err)
		}
		if status, _, err := w.Send(w.T.Context(), "DELETE", url, nil); err != nil || status != http.StatusNoContent {
			w.T.Fatal(status, err)
		}
		old := time.Now().Add(-2 * reconcile.MinAge)
		if err := os.Chtimes(filepath.Dir(w.Files("parts")[0]), old, old); err != nil {
			w.T.Fatal(err)
		}
		for _, step := range []struct {
			options reconcile.Options
			want    string
		}{
			{reconcile.Options{Fix: true}, "unknown-multipart: "},
			{reconcile.Options{DeleteUnknown: true}, "unknown-multipart: removed"},
			{reconcile.Options{}, ""},
		} {
			if got := found(w.T, w, uploadtest.Store(), step.options); strings.Join(got, ", ") != step.want {
				w.T.Errorf("%+v: %v, want %q", step.options, got, step.want)
			}
		}
		if left := w.Files("parts"); len(left) != 0 {
			w.T.Errorf("left: %v", left)
		}
	})
}

// late lists an object that is deleted before it can be asked for.
type late struct{ storage.Store }

func (l late) Buckets(context.Context, string) ([]string, error) { return []string{"test-1"}, nil }

func (l late) List(_ context.Context, _, prefix, after string) ([]storage.ListedObject, error) {
	if prefix != "" || after != "" {
		return nil, nil
	}
	return []storage.ListedObject{{Key: storage.ObjectKey(file.NewID()), Size: 1, ETag: "e"}}, nil
}

func (l late) Stat(context.Context, file.Location) (storage.Object, error) {
	return storage.Object{}, file.ErrObjectMissing
}

// What was deleted while it was looked at is no finding.
func TestDeletedSinceItWasListed(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		w.Layout.BucketPrefix = "test"
		if got := found(w.T, w, late{uploadtest.Store()}, reconcile.Options{}); len(got) != 0 {
			w.T.Errorf("found %v", got)
		}
	})
}
