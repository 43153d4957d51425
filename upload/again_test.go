package upload_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/auth"
	"holdfast/file"
	"holdfast/internal/test/uploadtest"
	"holdfast/upload"
)

// caller is a request whose caller may be lost.
type caller struct {
	ctx context.Context
	err atomic.Pointer[error] // nil: it is known
}

func newCaller(t *testing.T) *caller {
	c := &caller{}
	r, _, err := auth.Enter(httptest.NewRequest("PATCH", "/", nil), func(*http.Request) (file.Identity, error) {
		if err := c.err.Load(); err != nil {
			return file.Identity{}, *err
		}
		return uploadtest.Alice, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.ctx = r.Context()
	return c
}

// A caller that is lost while its body arrives completes no upload, also if it goes away instead of ending the body:
// whatever it sends, and however much memory there is for it, one byte is missing. Nothing else of it is.
func TestCallerIsLost(t *testing.T) {
	const size = 2*smallPart + 1000
	content := uploadtest.Content(size)
	worlds(t, func(w *world) {
		w.Planned = smallPart
		e := w.Start()
		for _, lost := range []error{file.ErrUnauthenticated, file.ErrRedis} {
			for name, c := range map[string]struct {
				sent      int
				cut, told bool // the body broke off; its client is told
				kept      int64
			}{
				"the whole":            {size, false, true, size - 1},
				"the whole, cut":       {size, true, true, size - 1},
				"whole parts":          {2 * smallPart, false, true, 2 * smallPart},
				"a piece":              {smallPart + 10, false, true, smallPart + 10},
				"a piece, cut":         {smallPart + 10, true, false, smallPart + 10},
				"nothing":              {0, true, false, 0},
				"the whole, one piece": {smallPart, false, true, smallPart - 1},
			} {
				w.Sub(name+", "+lost.Error(), func() {
					by := newCaller(w.T)
					length := int64(size)
					if name == "the whole, one piece" {
						length = smallPart
					}
					s, err := e.Create(by.ctx, upload.Creation{Size: length, Name: "a"}, func() {})
					if err != nil {
						w.T.Fatal(err)
					}
					by.err.Store(&lost)
					_, err = s.Append(0, upload.Body{Reader: bytes.NewReader(content[:c.sent]), Length: -1, Interrupt: func() {},
						Cut: func() bool { return c.cut }})
					if c.told != errors.Is(err, lost) || s.Upload().Offset != c.kept || s.Upload().Done() {
						w.T.Fatalf("%v, at %d of %d, want %d", err, s.Upload().Offset, length, c.kept)
					}
					if err := s.Terminate(); !errors.Is(err, lost) {
						w.T.Errorf("it ended the upload: %v", err)
					}
					by.err.Store(nil)
					if _, err := s.Append(c.kept, upload.Body{Reader: bytes.NewReader(content[c.kept:length]), Length: -1,
						Interrupt: func() {}}); err != nil {
						w.T.Fatal(err)
					}
					if err := s.Finish(); err != nil {
						w.T.Fatal(err)
					}
					s.Close()
					w.Check("/"+string(s.Upload().ID), content[:length])
				})
			}
			w.nothingWhole(e, lost, content)
		}
	})
}

// What completes an upload is asked about also if its request took only a moment, and a piece is not.
func TestCallerIsLostAtOnce(t *testing.T) {
	content := uploadtest.Content(2 * smallPart)
	worlds(t, func(w *world) {
		w.Planned, w.Moment = smallPart, time.Hour
		e := w.Start()
		by, lost := newCaller(w.T), file.ErrUnauthenticated
		s, err := e.Create(by.ctx, upload.Creation{Size: int64(len(content)), Name: "a"}, func() {})
		if err != nil {
			w.T.Fatal(err)
		}
		defer s.Close()
		by.err.Store(&lost)
		for _, c := range []struct {
			from, to, kept int64
			err            error
		}{
			{0, smallPart, smallPart, nil},
			{smallPart, 2 * smallPart, 2*smallPart - 1, lost},
		} {
			_, err := s.Append(c.from, upload.Body{Reader: bytes.NewReader(content[c.from:c.to]), Length: -1,
				Interrupt: func() {}})
			if !errors.Is(err, c.err) || s.Upload().Offset != c.kept {
				w.T.Errorf("bytes %d to %d: %v, %d are kept", c.from, c.to, err, s.Upload().Offset)
			}
		}
		w.nothingWhole(e, lost, content)
	})
}

// nothingWhole expects nothing to be left of a file that comes whole, and whose caller is lost.
func (w *world) nothingWhole(e *upload.Engine, lost error, content []byte) {
	w.T.Helper()
	by := newCaller(w.T)
	losing := bytes.NewReader(content)
	u, err := e.Receive(by.ctx, upload.Creation{Name: "a"}, readFunc(func(p []byte) (int, error) {
		by.err.Store(&lost)
		return losing.Read(p)
	}), func() {})
	e.Wait()
	if !errors.Is(err, lost) || w.InStore(string(u.ID)) != 0 || w.Lives(u.ID) {
		w.T.Errorf("a file that comes whole: %v, %d objects are left", err, w.InStore(string(u.ID)))
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
