package direct_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
	"holdfast/storage"
	"holdfast/upload"
)

// slowList is a store whose first list of parts takes until goOn is closed. It counts what it is asked.
type slowList struct {
	upload.Objects
	began, goOn      chan struct{}
	first            sync.Once
	lists, completed atomic.Int32
}

func (s *slowList) Parts(ctx context.Context, at file.Location, m file.Multipart, after int32) ([]file.Part, error) {
	s.lists.Add(1)
	s.first.Do(func() {
		close(s.began)
		select {
		case <-s.goOn:
		case <-ctx.Done():
		}
	})
	return s.Objects.Parts(ctx, at, m, after)
}

func (s *slowList) Complete(ctx context.Context, at file.Location, m file.Multipart, parts []file.Part) error {
	s.completed.Add(1)
	return s.Objects.Complete(ctx, at, m, parts)
}

// While one request has the store list the parts, which takes long, another one completes the same upload, at the same
// replica or another: it waits for the first, lists nothing itself, and both have the file.
func TestCompleteTwiceWithASlowList(t *testing.T) {
	worlds(t, func(w *world) {
		w.Sub("the same", func() { completeTwice(w, false) })
		w.Sub("another", func() { completeTwice(w, true) })
	})
}

func completeTwice(w *world, elsewhere bool) {
	t := w.T
	content := uploadtest.Content(1000)
	id := w.begin(len(content), "")
	w.send(id, content)
	s := &slowList{Objects: w.store, began: make(chan struct{}), goOn: make(chan struct{})}
	w.Objects = s
	plan := uploadtest.NewPlan(uploadtest.None, 0) // counts calls
	w.StartUnder(plan)
	answers := make(chan answer, 2)
	complete := func() {
		a, err := w.try("POST", string(id)+"/complete", "")
		if err != nil {
			t.Error(err)
		}
		answers <- a
	}
	go complete()
	<-s.began
	if elsewhere {
		plan = uploadtest.NewPlan(uploadtest.None, 0)
		w.StartUnder(plan)
	}
	before, _, _ := plan.Seen()
	go complete()
	w.waitFor("the second request to look again and again", func() bool {
		calls, _, _ := plan.Seen()
		return calls > before+6
	})
	if n := s.lists.Load(); n != 1 || len(answers) > 0 {
		t.Errorf("%d lists and %d answers while the first list is made", n, len(answers))
	}
	close(s.goOn)
	for range 2 {
		if a := <-answers; a.status != http.StatusCreated || a.FileID != id {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if n := s.completed.Load(); n != 1 {
		t.Errorf("the store was to complete it %d times", n)
	}
	w.whole(id, content, false)
}

// A file whose SHA-256 was not computed yet gets it from the chore, also when direct uploads were turned off since.
func TestSumWhileTurnedOff(t *testing.T) {
	worlds(t, func(w *world) {
		content := uploadtest.Content(1000)
		id := w.begin(len(content), "")
		w.send(id, content)
		w.ask(http.StatusCreated, "POST", string(id)+"/complete", "")
		known := func() bool {
			rec, err := w.Rows.File(t.Context(), id)
			return err == nil && rec.SHA256 != nil
		}
		w.waitFor("the SHA-256", known)
		for _, forget := range []string{`update uploads set hash_state = null`, `update files set sha256 = null`} {
			if _, err := w.Raw.Exec(forget); err != nil {
				t.Fatal(err)
			}
		}
		w.Parts = nil
		off := w.Start()
		w.ask(http.StatusNotFound, "POST", "", `{"size":1}`)
		go off.Run(t.Context(), time.Hour)
		w.waitFor("the SHA-256 by the chore", known)
		w.whole(id, content, true)
	})
}

// hidden is a store in which another attempt completes the upload: it knows the multipart upload no more, and has the
// object only when it was looked for some times.
type hidden struct {
	upload.Objects
	looks atomic.Int32
}

func (h *hidden) Complete(ctx context.Context, at file.Location, m file.Multipart, parts []file.Part) error {
	return errors.Join(h.Objects.Complete(ctx, at, m, parts), storage.ErrNoUpload)
}

func (h *hidden) Stat(ctx context.Context, at file.Location) (storage.Object, error) {
	if h.looks.Add(1) <= 3 {
		return storage.Object{}, file.ErrObjectMissing
	}
	return h.Objects.Stat(ctx, at)
}

// A replica that has lost its lease may have the store complete an upload while another one tries the same: that one
// waits for the object.
func TestCompletedByAnotherAttempt(t *testing.T) {
	worlds(t, func(w *world) {
		content := uploadtest.Content(1000)
		id := w.begin(len(content), "")
		w.send(id, content)
		h := &hidden{Objects: w.store}
		w.Objects = h
		w.Start()
		w.ask(http.StatusCreated, "POST", string(id)+"/complete", "")
		if n := h.looks.Load(); n < 4 {
			t.Errorf("looked %d times", n)
		}
		w.whole(id, content, false)
	})
}
