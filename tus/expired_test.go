package tus

import (
	"context"
	"net/http"
	"testing"

	"holdfast/file"
)

// An upload that has all its bytes and that nobody scans is tried again with each sweep. It runs out
// only when that was in vain for a time after its own has ended: nobody may have been there before.
// What waits for the store or the database does not run out.
func TestUploadsThatNobodyScansRunOut(t *testing.T) {
	worlds(t, func(w *world) {
		var fault error
		w.scan = func(context.Context, *file.Upload) error { return fault }
		e := w.start(newPlan(none, 0))
		body := content(partSize + 1000)
		begin := func() (url string) {
			t := w.t
			t.Helper()
			url = w.create(len(body))
			if status, _, err := w.patch(t.Context(), url, 0, body); err != nil || status != http.StatusServiceUnavailable {
				t.Fatal(status, err)
			}
			return url
		}
		sweep := func() {
			w.t.Helper()
			if err := e.Sweep(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
		}
		late := func(url string) {
			w.t.Helper()
			if _, err := w.raw.Exec("update uploads set expires = 1, ttl = 1 where id = '" + string(idOf(url)) + "'"); err != nil {
				w.t.Fatal(err)
			}
		}

		fault = file.ErrScanner
		young, old, healed := begin(), begin(), begin()
		late(old)
		late(healed)
		sweep()
		if !w.lives(idOf(old)) {
			w.t.Error("it was given up at the first time")
		}
		fault = nil
		if w.head(healed) != int64(len(body)) {
			w.t.Error("a client that comes again does not end it")
		}
		w.check(healed, body)
		fault = file.ErrStorageRead
		stuck := begin()
		late(stuck)
		for range 3 {
			sweep()
		}
		if !w.lives(idOf(stuck)) || !w.lives(idOf(old)) {
			w.t.Error("one that waits for the store has run out")
		}
		fault = file.ErrScanner
		sweep()
		for n := 0; w.lives(idOf(old)); n++ { // its time may be a millisecond
			if n == 100 {
				w.t.Fatal("it never runs out")
			}
			sweep()
		}
		if n := w.inStore(string(idOf(old))); n != 0 {
			w.t.Errorf("%d objects stay", n)
		}
		if !w.lives(idOf(young)) {
			w.t.Error("one whose time has not ended has run out")
		}
		fault = nil
		sweep()
		w.check(young, body)
	})
}
