package upload_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"holdfast/auth"
	"holdfast/file"
	"holdfast/internal/test/uploadtest"
	"holdfast/upload"
)

// receive sends a file that comes whole. The last bytes come together with io.EOF.
func (w *world) receive(e *upload.Engine, body io.Reader) (*file.Upload, error) {
	return e.Receive(auth.NewContext(context.Background(), uploadtest.Alice), upload.Creation{Name: "a"}, body, func() {})
}

// A file that comes whole meets a fault at every call to SQL and S3: either there is a file and its sender was told
// so, or nothing is left.
func TestReceiveWithAFaultAtEveryCall(t *testing.T) {
	worlds(t, func(w *world) {
		w.Planned = smallPart
		for _, size := range []int{0, 1000, smallPart, smallPart + 1, 2*smallPart + 1000} {
			for _, f := range []uploadtest.Fault{uploadtest.FailBefore, uploadtest.FailAfter, uploadtest.FailThrice,
				uploadtest.CrashBefore, uploadtest.CrashAfter} {
				w.Sub(fmt.Sprintf("%d bytes, %s", size, f), func() {
					for k, hit := 1, true; hit; k++ {
						hit = w.receiveUnder(f, k, uploadtest.Content(size))
					}
				})
			}
		}
	})
}

// receiveUnder runs the scene with the fault at call k, and returns false if there are fewer calls.
func (w *world) receiveUnder(f uploadtest.Fault, k int, body []byte) bool {
	w.T.Helper()
	p := uploadtest.NewPlan(f, k)
	e := w.StartUnder(p)
	u, err := w.receive(e, bytes.NewReader(body))
	if u == nil {
		w.T.Fatal("no row: ", err)
	}
	if n := inUse(e); n != 0 {
		w.T.Fatalf("%d bytes of memory were not given back", n)
	}
	e.Wait()
	w.ExpireLeases()
	calm := w.Start()
	if err := calm.Sweep(context.Background()); err != nil {
		w.T.Fatal(err)
	}
	calm.Wait()
	_, gone := w.Rows.File(w.T.Context(), u.ID)
	switch {
	case err == nil:
		w.Check("/"+string(u.ID), body)
	case errors.Is(gone, file.ErrNotFound):
		if n := w.InStore(string(u.ID)); n != 0 || w.Lives(u.ID) {
			w.T.Errorf("call %d: %d objects are left, the upload lives: %v", k, n, w.Lives(u.ID))
		}
	case f == uploadtest.CrashAfter: // it died between the commit and the answer
		w.Check("/"+string(u.ID), body)
	default:
		w.T.Errorf("call %d: %v was answered, and yet there is a file (%v)", k, err, gone)
	}
	calls, _, _ := p.Seen()
	return calls >= k
}

// A file that breaks off or is too long leaves nothing either, and is never visible.
func TestReceiveOfWhatIsNoFile(t *testing.T) {
	broken := errors.New("the line broke")
	worlds(t, func(w *world) {
		e := w.Start()
		for name, c := range map[string]struct {
			body io.Reader
			want error
		}{
			"broken at once": {errorReader{broken}, broken},
			"broken in parts": {io.MultiReader(bytes.NewReader(uploadtest.Content(2*uploadtest.PartSize+5)),
				errorReader{broken}), broken},
			"too long": {io.LimitReader(zeros{}, uploadtest.MaxSize+1), file.ErrTooLarge},
		} {
			w.Sub(name, func() {
				u, err := w.receive(e, c.body)
				if !errors.Is(err, c.want) {
					w.T.Fatal(err)
				}
				e.Wait()
				if n := w.InStore(string(u.ID)); n != 0 || w.Lives(u.ID) {
					w.T.Errorf("%d objects are left, the upload lives: %v", n, w.Lives(u.ID))
				}
			})
		}
	})
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
