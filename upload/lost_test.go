package upload_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
	"holdfast/storage"
	"holdfast/upload"
)

// damages are what can happen to a file of the store.
var damages = map[string]func(path string) error{
	"removed": os.Remove,
	"cut":     func(path string) error { return os.Truncate(path, 50) },
	"flipped": func(path string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b[7] ^= 1
		return os.WriteFile(path, b, 0o600)
	},
}

// stored returns a file of the store, of a kind and with a text in its name.
func (w *world) stored(kind, name string) string {
	w.T.Helper()
	all := slices.DeleteFunc(w.Files(kind), func(path string) bool { return !strings.Contains(filepath.Base(path), name) })
	if len(all) != 1 {
		w.T.Fatalf("%q in %s: %v", name, kind, all)
	}
	return all[0]
}

// isEnded checks that an upload is gone for its client, and has left nothing in the store.
func (w *world) isEnded(url string) {
	w.T.Helper()
	if status, _, err := w.Send(w.T.Context(), "HEAD", url, nil); err != nil || status != http.StatusNotFound {
		w.T.Errorf("HEAD afterwards: %d %v", status, err)
	}
	if left := append(w.Files("objects"), append(w.Files("parts"), w.Files("uploads")...)...); len(left) != 0 {
		w.T.Errorf("the store still has %v", left)
	}
}

// An upload whose parts or tails are gone or damaged can't go on: its client hears that, the upload is ended, and what
// is left of it makes room.
func TestLostBytes(t *testing.T) {
	worlds(t, func(w *world) {
		body := uploadtest.Content(uploadtest.PartSize + 300)
		const sent = uploadtest.PartSize + 100 // a part and a tail
		for what, damage := range damages {
			for _, kind := range []string{"parts", "objects"} {
				w.Sub(kind+" "+what, func() {
					w.Start()
					url := w.Create(len(body))
					if status, _, err := w.Patch(w.T.Context(), url, 0, body[:sent]); err != nil || status != http.StatusNoContent {
						w.T.Fatal(status, err)
					}
					if err := damage(w.stored(kind, "")); err != nil {
						w.T.Fatal(err)
					}
					w.Start() // which has no tails in memory
					if status, _, err := w.Patch(w.T.Context(), url, sent, body[sent:]); err != nil || status != http.StatusGone {
						w.T.Errorf("PATCH: %d %v", status, err)
					}
					w.isEnded(url)
				})
			}
		}
	})
}

// Tails that are merged are compared: the tail that has their bytes has the sum of what was sent.
func TestLostBytesOfMergedTails(t *testing.T) {
	worlds(t, func(w *world) {
		body := uploadtest.Content(3000)
		url := w.Create(len(body))
		at := int64(0)
		chunk := func(n int64) (status int) {
			w.T.Helper()
			w.Start()
			status, _, err := w.Patch(w.T.Context(), url, at, body[at:at+n])
			if err != nil {
				w.T.Fatal(err)
			}
			at += n
			return status
		}
		for range upload.MaxTails + 3 {
			if status := chunk(100); status != http.StatusNoContent {
				w.T.Fatal(status)
			}
		}
		tails, err := w.Rows.UploadTails(w.T.Context(), uploadtest.ID(url))
		if err != nil || len(tails) > upload.MaxTails {
			w.T.Fatal(len(tails), err)
		}
		for _, tail := range tails {
			if tail.CRC32 == "" {
				w.T.Errorf("%+v has no sum", tail)
			}
		}
		last := tails[len(tails)-1]
		if err := damages["flipped"](w.stored("objects", last.Key[strings.LastIndexByte(last.Key, '/')+1:])); err != nil {
			w.T.Fatal(err)
		}
		if status := chunk(int64(len(body)) - at); status != http.StatusGone {
			w.T.Errorf("PATCH: %d", status)
		}
		w.isEnded(url)
	})
}

// The sweep ends an upload that has all its bytes, and whose parts are lost before it is completed.
func TestSweepEndsLostUploads(t *testing.T) {
	worlds(t, func(w *world) {
		body := uploadtest.Content(uploadtest.PartSize + 300)
		plan := uploadtest.NewPlan(uploadtest.CrashBefore, 0)
		plan.Name = "Complete"
		w.StartUnder(plan)
		url := w.Create(len(body))
		_, _, _ = w.Patch(w.T.Context(), url, 0, body) // the process dies
		if err := damages["flipped"](w.stored("parts", "1-")); err != nil {
			w.T.Fatal(err)
		}
		e := w.Start()
		w.ExpireLeases()
		if err := e.Sweep(w.T.Context()); err != nil {
			w.T.Fatal(err)
		}
		w.isEnded(url)
	})
}

// A final upload is not made of a source that is gone or damaged: both are ended, and the other sources stay.
func TestLostSource(t *testing.T) {
	worlds(t, func(w *world) {
		for name, bodies := range map[string][][]byte{"copied": mixtures["copied"], "sent": mixtures["sent"]} {
			for what, damage := range damages {
				w.Sub(name+" "+what, func() {
					urls := w.Partials(bodies...)
					if err := damage(w.stored("objects", string(uploadtest.ID(urls[0])))); err != nil {
						w.T.Fatal(err)
					}
					if status, _, err := w.Final(urls); err != nil || status != http.StatusGone {
						w.T.Errorf("%d %v", status, err)
					}
					for i, url := range urls {
						if lives := w.Lives(uploadtest.ID(url)); lives != (i > 0) {
							w.T.Errorf("source %d lives: %t", i, lives)
						}
						_, _, _ = w.Send(w.T.Context(), "DELETE", url, nil)
					}
					w.isEnded(urls[0])
				})
			}
		}
	})
}

// elsewhere is a store that says of some calls what another store behind its address would.
type elsewhere struct {
	upload.Objects
	complete, stat error
}

func (s elsewhere) Complete(ctx context.Context, at file.Location, m file.Multipart, parts []file.Part) error {
	if s.complete != nil {
		return s.complete
	}
	return s.Objects.Complete(ctx, at, m, parts)
}

func (s elsewhere) Stat(ctx context.Context, at file.Location) (storage.Object, error) {
	if s.stat != nil {
		return storage.Object{}, s.stat
	}
	return s.Objects.Stat(ctx, at)
}

// A store that has not even the bucket may be another one, and one that knows neither an upload nor its object may be
// making the one of the other: no upload is ended for that. Only if it stays so.
func TestLossIsNotBelievedAtOnce(t *testing.T) {
	worlds(t, func(w *world) {
		body := uploadtest.Content(uploadtest.PartSize + 300)
		url := w.Create(len(body))
		fault := elsewhere{Objects: uploadtest.Store(), complete: fmt.Errorf("complete: %w", storage.ErrNoUpload),
			stat: fmt.Errorf("stat: %w", file.ErrObjectMissing)}
		w.Objects = fault
		w.Start()
		if status, _, err := w.Patch(w.T.Context(), url, 0, body); err != nil || status != http.StatusServiceUnavailable {
			w.T.Errorf("PATCH: %d %v", status, err)
		}
		if status, _, err := w.Send(w.T.Context(), "HEAD", url, nil); err != nil || status != http.StatusServiceUnavailable {
			w.T.Errorf("HEAD: %d %v", status, err)
		}
		w.Objects = uploadtest.Store()
		w.Start()
		if n := w.Head(url); n != int64(len(body)) {
			w.T.Error(n)
		}
		w.Check(url, body)

		url = w.Create(len(body))
		w.Objects = fault
		e := w.Start()
		_, _, _ = w.Patch(w.T.Context(), url, 0, body)
		if _, err := w.Raw.Exec("update uploads set ttl = 1 where id = $1", string(uploadtest.ID(url))); err != nil {
			w.T.Fatal(err)
		}
		for n := 0; w.Lives(uploadtest.ID(url)); n++ { // its time is a millisecond
			if n == 100 {
				w.T.Fatal("it is never ended")
			}
			w.ExpireLeases()
			if err := e.Sweep(w.T.Context()); err != nil {
				w.T.Fatal(err)
			}
		}
	})
}

// refusing is a store that refuses the parts of uploads, and lists those that it has but the first lost ones.
type refusing struct {
	upload.Objects
	lost int
}

func (refusing) Complete(context.Context, file.Location, file.Multipart, []file.Part) error {
	return fmt.Errorf("complete: %w", storage.ErrPartChanged)
}

func (s refusing) Parts(ctx context.Context, at file.Location, m file.Multipart, after int32) ([]file.Part, error) {
	page, err := s.Objects.Parts(ctx, at, m, after)
	return page[min(s.lost, len(page)):], err
}

// A store that refuses the parts of an upload is asked which ones it has: the upload is ended if one of them is gone.
func TestRefusedParts(t *testing.T) {
	worlds(t, func(w *world) {
		body := uploadtest.Content(uploadtest.PartSize + 300)
		for lost, want := range map[int]int{0: http.StatusServiceUnavailable, 1: http.StatusGone} {
			url := w.Create(len(body))
			w.Objects = refusing{uploadtest.Store(), lost}
			w.Start()
			if status, _, err := w.Patch(w.T.Context(), url, 0, body); err != nil || status != want {
				w.T.Errorf("%d parts lost: %d %v", lost, status, err)
			}
			if lives := w.Lives(uploadtest.ID(url)); lives != (lost == 0) {
				w.T.Errorf("%d parts lost, it lives: %t", lost, lives)
			}
		}
	})
}

// noBucket is a store in which buckets are missing.
type noBucket struct{ upload.Objects }

func (noBucket) Open(context.Context, file.Location, string, int64, int64) (io.ReadCloser, error) {
	return nil, fmt.Errorf("open: %w", storage.ErrNoBucket)
}

// A store without the bucket may be another one: the upload goes on when the right one is there again.
func TestNoBucketIsNoLoss(t *testing.T) {
	worlds(t, func(w *world) {
		body := uploadtest.Content(300)
		url := w.Create(len(body))
		if status, _, err := w.Patch(w.T.Context(), url, 0, body[:100]); err != nil || status != http.StatusNoContent {
			w.T.Fatal(status, err)
		}
		w.Objects = noBucket{uploadtest.Store()}
		w.Start()
		if status, _, err := w.Patch(w.T.Context(), url, 100, body[100:]); err != nil ||
			status != http.StatusServiceUnavailable {
			w.T.Errorf("PATCH: %d %v", status, err)
		}
		w.Objects = uploadtest.Store()
		w.Start()
		at := w.Head(url)
		if status, _, err := w.Patch(w.T.Context(), url, at, body[at:]); err != nil || status != http.StatusNoContent {
			w.T.Errorf("PATCH again: %d %v", status, err)
		}
		w.Check(url, body)
	})
}
