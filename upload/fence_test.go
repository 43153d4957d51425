package upload_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
	"holdfast/storage"
	"holdfast/upload"
)

// lateWrite lets one engine write an object by a call that is executed only after another engine has continued and
// recorded the file. first sends to the first engine, then to the other.
func (w *world) lateWrite(call string, first func(), then func() (url string, want []byte)) {
	w.T.Helper()
	p := uploadtest.NewPlan(uploadtest.Late, 0)
	p.Name = call
	one := w.StartUnder(p)
	first()
	if _, hit, _ := p.Seen(); hit != call {
		w.T.Fatalf("%s was not called", call)
	}
	w.ExpireLeases()
	other := w.Start()
	url, want := then()
	w.Check(url, want)
	p.End() // the first engine's write arrives
	w.Check(url, want)
	one.Wait()
	w.tidy(other, url)
	w.Check(url, want)
}

// tidy moves the clock past the time in which late writes may arrive: only the recorded object is left.
func (w *world) tidy(e *upload.Engine, url string) {
	w.T.Helper()
	if _, err := w.Raw.Exec(`update uploads set tidy_at = 1 where tidy_at is not null`); err != nil {
		w.T.Fatal(err)
	}
	if err := e.Sweep(w.T.Context()); err != nil {
		w.T.Fatal(err)
	}
	e.Wait()
	if n := w.InStore(string(uploadtest.ID(url))); n != 1 {
		w.T.Errorf("%d objects and multipart uploads of the file are left, want the recorded one", n)
	}
	var untidy int
	if err := w.Raw.QueryRow(`select count(*) from uploads where tidy_at is not null and tidy_at <=
		1`).Scan(&untidy); err != nil || untidy != 0 {
		w.T.Errorf("%d uploads would be looked through again and again (%v)", untidy, err)
	}
}

// A replica sends a PUT of a whole object and dies. The PUT arrives after another replica has recorded the file: with
// the same bytes in other parts, and with other bytes.
func TestLatePut(t *testing.T) {
	worlds(t, func(w *world) {
		w.Planned = 8 << 20
		for _, size := range []int{1000, 7 << 20} {
			for _, same := range []bool{true, false} {
				w.Sub(fmt.Sprintf("%d bytes, same: %v", size, same), func() {
					before := uploadtest.Content(size)
					after := before
					if !same {
						after = uploadtest.Content(size)
					}
					url := w.Create(size)
					w.lateWrite("Put", func() { w.Patch(context.Background(), url, 0, before) }, func() (string, []byte) {
						half := min(5<<20, size/2)
						if size > 5<<20 {
							half = 5 << 20 // long enough for a part, so the object is made of two
						}
						for at, end := 0, half; at < size; at, end = end, size {
							if status, _, err := w.Patch(w.T.Context(), url, int64(at), after[at:end]); status != http.StatusNoContent {
								w.T.Fatal(status, err)
							}
						}
						return url, after
					})
				})
			}
		}
	})
}

// A replica asks the store to complete an object and dies. The store does so after another replica has completed it.
func TestLateComplete(t *testing.T) {
	worlds(t, func(w *world) {
		body := uploadtest.Content(2*uploadtest.PartSize + 100)
		url := w.Create(len(body))
		w.lateWrite("Complete", func() { w.Patch(context.Background(), url, 0, body) }, func() (string, []byte) {
			if n := w.Head(url); n != int64(len(body)) {
				w.T.Fatalf("the offset is %d", n)
			}
			return url, body
		})
	})
}

// The same for an empty file, which is written at its creation, and for a final upload that this service assembles.
func TestLatePutOfWhatComesWithoutABody(t *testing.T) {
	worlds(t, func(w *world) {
		var url string
		w.lateWrite("Put", func() {
			_, h, err := w.Send(w.T.Context(), "POST", w.URL+"/files/tus/", nil, "Upload-Length", "0")
			if url = h.Get("Location"); url == "" {
				w.T.Fatal("no Location", err)
			}
		}, func() (string, []byte) {
			if n := w.Head(url); n != 0 {
				w.T.Fatalf("the offset is %d", n)
			}
			return url, nil
		})

		a, b := uploadtest.Content(300), uploadtest.Content(200)
		concat := "final;" + strings.Join(w.Partials(a, b), " ")
		final := func() (int, string) {
			status, h, err := w.Send(w.T.Context(), "POST", w.URL+"/files/tus/", nil, "Upload-Concat", concat)
			if err != nil {
				w.T.Fatal(err)
			}
			return status, h.Get("Location")
		}
		w.lateWrite("Put", func() { final() }, func() (string, []byte) {
			status, url := final()
			if status != http.StatusCreated {
				w.T.Fatalf("the final upload again: %d", status)
			}
			return url, append(a, b...)
		})
	})
}

// If nothing went wrong, the key of an object is its file's id alone, as other programs expect: sent in one request or
// in several, with HEAD requests and broken connections in between.
func TestObjectsLieUnderTheirIDs(t *testing.T) {
	worlds(t, func(w *world) {
		for _, chunks := range [][]int{{100}, {100, 200, 300}, {6 << 20, 100}, {3 << 20, 3 << 20, 3 << 20}} {
			size := 0
			for _, n := range chunks {
				size += n
			}
			body := uploadtest.Content(size)
			url := w.Create(size)
			at := 0
			for _, n := range chunks {
				if at > 0 {
					w.cutShort(url, int64(at))
				}
				if status, _, err := w.Patch(w.T.Context(), url, int64(at), body[at:at+n]); status != http.StatusNoContent {
					w.T.Fatal(status, err)
				}
				at += n
				if status, _, err := w.Patch(w.T.Context(), url, 0, body[:1]); at < size && status != http.StatusConflict {
					w.T.Fatal(status, err)
				}
			}
			w.Check(url, body)
			rec, err := w.Rows.File(w.T.Context(), uploadtest.ID(url))
			if err != nil || rec.Location != w.Layout.Object(1, rec.ID) {
				w.T.Errorf("%v: the file lies at %v (%v)", chunks, rec.Location, err)
			}
			var untidy int
			if err := w.Raw.QueryRow(`select count(*) from uploads where tidy_at is not null`).Scan(&untidy); err != nil ||
				untidy != 0 {
				w.T.Errorf("%v: %d uploads are to be looked through (%v)", chunks, untidy, err)
			}
		}
	})
}

// cutShort sends a request whose connection breaks before its first byte, and waits until it has ended.
func (w *world) cutShort(url string, at int64) {
	w.T.Helper()
	ctx, cancel := context.WithCancel(w.T.Context())
	r, pipe := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Send(ctx, "PATCH", url, r, "Upload-Offset", fmt.Sprint(at), "Content-Type", uploadtest.Octets)
	}()
	w.until("the request has the upload", func(u *file.Upload) bool { return u.Held })
	cancel()
	pipe.CloseWithError(context.Canceled)
	<-done
	w.until("it has given the upload back", func(u *file.Upload) bool { return !u.Held })
}

// until waits for a state of the newest upload.
func (w *world) until(what string, holds func(*file.Upload) bool) {
	w.T.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var id file.ID
		if err := w.Raw.QueryRow(`select id from uploads where state = 'open' order by created desc limit
			1`).Scan(&id); err != nil {
			w.T.Fatal(err)
		}
		if u, err := w.Rows.UploadRow(w.T.Context(), id); err == nil && holds(u) {
			return
		}
	}
	w.T.Fatalf("not in a minute: %s", what)
}

// Deleting a file also removes what is stored beside its object.
func TestDeleteRemovesWhatLiesBeside(t *testing.T) {
	worlds(t, func(w *world) {
		p := uploadtest.NewPlan(uploadtest.Late, 0)
		p.Name = "Put"
		w.StartUnder(p)
		body := uploadtest.Content(100)
		url := w.Create(len(body))
		w.Patch(context.Background(), url, 0, body)
		p.End()
		w.ExpireLeases()
		w.Start()
		if status, _, err := w.Patch(w.T.Context(), url, 0, body); status != http.StatusNoContent {
			w.T.Fatal(status, err)
		}
		if n := w.InStore(string(uploadtest.ID(url))); n != 2 {
			w.T.Fatalf("%d objects, want one beside the other", n)
		}
		if rec, err := w.Rows.File(w.T.Context(), uploadtest.ID(url)); err != nil || !storage.IsFenced(rec.Location.Key) ||
			!strings.HasPrefix(rec.Location.Key, filepath.Join("objects", string(rec.ID))) {
			w.T.Fatalf("it lies at %v (%v)", rec.Location, err)
		}
		if status, _, err := w.Send(w.T.Context(), "DELETE", url, nil); status != http.StatusNoContent {
			w.T.Fatal(status, err)
		}
		if n := w.InStore(string(uploadtest.ID(url))); n != 0 {
			w.T.Errorf("%d objects stay", n)
		}
	})
}
