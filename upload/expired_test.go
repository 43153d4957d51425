package upload_test

import (
	"context"
	"net/http"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
)

// A complete upload that can't be scanned is tried again by each sweep. It expires only when attempts have failed for
// some time after its expiry: perhaps no sweep has run before. An upload that waits for the store or the database does
// not expire.
func TestUploadsThatNobodyScansRunOut(t *testing.T) {
	worlds(t, func(w *world) {
		s := &unscanned{world: w, body: uploadtest.Content(uploadtest.PartSize + 1000)}
		w.Scan = func(context.Context, *file.Upload) error { return s.fault }
		e := w.Start()
		sweep := func() {
			w.T.Helper()
			if err := e.Sweep(w.T.Context()); err != nil {
				w.T.Fatal(err)
			}
		}

		s.fault = file.ErrScanner
		young, old, healed := s.begin(), s.begin(), s.begin()
		s.endTime(old)
		s.endTime(healed)
		sweep()
		if !s.lives(old) {
			w.T.Error("it expired with the first try that failed")
		}
		s.fault = nil
		if w.Head(healed) != int64(len(s.body)) {
			w.T.Error("a client that comes again does not finish it")
		}
		w.Check(healed, s.body)
		s.fault = file.ErrStorageRead
		stuck := s.begin()
		s.endTime(stuck)
		for range 3 {
			sweep()
		}
		if !s.lives(stuck) || !s.lives(old) {
			w.T.Error("an upload that waits for the store has expired")
		}
		s.fault = file.ErrScanner
		until(w.T, "it expires", func() bool { sweep(); return !s.lives(old) })
		if n := w.InStore(string(uploadtest.ID(old))); n != 0 {
			w.T.Errorf("%d objects stay", n)
		}
		if !s.lives(young) {
			w.T.Error("an upload whose time has not ended has expired")
		}
		s.fault = nil
		until(w.T, "it becomes a file", func() bool {
			sweep()
			_, err := w.Rows.File(w.T.Context(), uploadtest.ID(young))
			return err == nil
		})
		w.Check(young, s.body)
	})
}

// unscanned are uploads whose scan fails with fault.
type unscanned struct {
	*world
	fault error
	body  []byte
}

// begin sends a whole upload, which then waits for its scan.
func (s *unscanned) begin() (url string) {
	s.T.Helper()
	url = s.Create(len(s.body))
	if status, _, err := s.Patch(s.T.Context(), url, 0, s.body); err != nil || status != http.StatusServiceUnavailable {
		s.T.Fatal(status, err)
	}
	return url
}

// endTime moves the expiry of an upload into the past.
func (s *unscanned) endTime(url string) {
	s.T.Helper()
	_, err := s.Raw.Exec("update uploads set expires = 1, ttl = 1 where id = '" + string(uploadtest.ID(url)) + "'")
	if err != nil {
		s.T.Fatal(err)
	}
}

func (s *unscanned) lives(url string) bool { return s.Lives(uploadtest.ID(url)) }
