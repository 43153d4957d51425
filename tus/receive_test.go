package tus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"holdfast/auth"
	"holdfast/file"
	"holdfast/hooks"
)

// receive sends a file that comes whole. The last bytes come with the end.
func (w *world) receive(e *Engine, body io.Reader) (*file.Upload, error) {
	life := hooks.New(smallParts{w.rows, w}, hooks.Settings{Layout: w.layout, MaxSize: w.maxSize, TTL: time.Hour, Now: time.Now})
	return e.Receive(auth.NewContext(context.Background(), alice), life.PreCreate, hooks.Creation{Name: "a"}, body, func() {})
}

// A file that comes whole meets a fault at every call to SQL and S3: either there is a file
// and its sender heard of it, or there is nothing.
func TestReceiveWithAFaultAtEveryCall(t *testing.T) {
	worlds(t, func(w *world) {
		for _, size := range []int{0, 1000, partSize, partSize + 1, 2*partSize + 1000} {
			for _, f := range []fault{failBefore, failAfter, failThrice, crashBefore, crashAfter} {
				w.sub(fmt.Sprintf("%d bytes, %s", size, f), func() {
					for k, hit := 1, true; hit; k++ {
						hit = w.receiveUnder(f, k, content(size))
					}
				})
			}
		}
	})
}

// receiveUnder does it with the fault at call k, and returns false if there are fewer.
func (w *world) receiveUnder(f fault, k int, body []byte) bool {
	w.t.Helper()
	p := newPlan(f, k)
	e := w.start(p)
	u, err := w.receive(e, bytes.NewReader(body))
	if u == nil {
		w.t.Fatal("no row: ", err)
	}
	if n := e.memory.inUse(); n != 0 {
		w.t.Fatalf("%d bytes of memory were not given back", n)
	}
	e.Wait()
	w.expireLeases()
	calm := w.start(newPlan(none, 0))
	if err := calm.Sweep(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	calm.Wait()
	_, gone := w.rows.File(w.t.Context(), u.ID)
	switch {
	case err == nil:
		w.check("/"+string(u.ID), body)
	case errors.Is(gone, file.ErrNotFound):
		if n := w.inStore(string(u.ID)); n != 0 || w.lives(u.ID) {
			w.t.Errorf("call %d: %d objects are left, the upload lives: %v", k, n, w.lives(u.ID))
		}
	case f == crashAfter: // it died between the commit and the answer
		w.check("/"+string(u.ID), body)
	default:
		w.t.Errorf("call %d: %v was answered, and yet there is a file (%v)", k, err, gone)
	}
	calls, _, _ := p.seen()
	return calls >= k
}

// What breaks off, or is too long, leaves nothing either, and nobody gets at it meanwhile.
func TestReceiveOfWhatIsNoFile(t *testing.T) {
	broken := errors.New("the line broke")
	worlds(t, func(w *world) {
		e := w.start(newPlan(none, 0))
		for name, c := range map[string]struct {
			body io.Reader
			want error
		}{
			"broken at once":  {errorReader{broken}, broken},
			"broken in parts": {io.MultiReader(bytes.NewReader(content(2*partSize+5)), errorReader{broken}), broken},
			"too long":        {io.LimitReader(zeros{}, maxSize+1), file.ErrTooLarge},
		} {
			w.sub(name, func() {
				u, err := w.receive(e, c.body)
				if !errors.Is(err, c.want) {
					w.t.Fatal(err)
				}
				e.Wait()
				if n := w.inStore(string(u.ID)); n != 0 || w.lives(u.ID) {
					w.t.Errorf("%d objects are left, the upload lives: %v", n, w.lives(u.ID))
				}
			})
		}
	})
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
