package direct_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
)

var faults = []uploadtest.Fault{uploadtest.FailBefore, uploadtest.FailAfter, uploadtest.FailThrice, uploadtest.Late,
	uploadtest.CrashBefore, uploadtest.CrashAfter, uploadtest.Stall, uploadtest.Panics}

// TestFaultAtEveryCall makes uploads in which the first call to SQL or the store meets a fault, then the second, and so
// on. Whatever happens: there is no file before the client has asked for it, what was sent is not lost, and in the end
// the file is what was sent.
func TestFaultAtEveryCall(t *testing.T) {
	worlds(t, func(w *world) {
		for _, claimed := range []bool{true, false} {
			for _, f := range faults {
				w.Sub(fmt.Sprintf("claimed %t/%s", claimed, f), func() {
					for k := 1; w.scene(f, k, claimed); k++ {
						if k > 100 {
							w.T.Fatal("the scene never ends")
						}
					}
				})
			}
		}
	})
}

// scene makes one upload with fault f at call k. It returns false when there are fewer calls.
func (w *world) scene(f uploadtest.Fault, k int, claimed bool) (hit bool) {
	w.T.Helper()
	content, claim := uploadtest.Content(1000), ""
	if claimed {
		claim = `,"sha256":"` + hexSum(content) + `"`
	}
	plan := uploadtest.NewPlan(f, k)
	w.StartUnder(plan)
	begun := w.insist(plan, func() (answer, bool) {
		a, err := w.try("POST", "", fmt.Sprintf(`{"name":"a","size":%d%s}`, len(content), claim))
		return a, err == nil && a.status == http.StatusCreated
	})
	id := begun.ID
	if _, err := w.Rows.File(w.T.Context(), id); err == nil {
		w.T.Fatalf("%s %d: a file before a byte was sent", f, k)
	}
	w.insist(plan, func() (answer, bool) {
		a, err := w.try("POST", string(id)+"/parts", `{"parts":[{"number":1}]}`)
		if err != nil || a.status != http.StatusOK {
			return a, false
		}
		status, _ := w.put(a.Signed[0], content)
		return a, status == http.StatusOK
	})
	there := w.insist(plan, func() (answer, bool) {
		a, err := w.try("GET", string(id), "")
		return a, err == nil && a.status == http.StatusOK
	})
	if len(there.Sent) != 1 {
		w.T.Fatalf("%s %d: %s", f, k, there.body)
	}
	w.insist(plan, func() (answer, bool) {
		a, err := w.try("POST", string(id)+"/complete", "")
		if again := []int{0, http.StatusLocked, http.StatusAccepted}; err == nil && a.status != http.StatusCreated &&
			a.status < 500 && !slices.Contains(again, a.status) {
			w.T.Errorf("%s %d: completed with %d %s", f, k, a.status, a.body)
		}
		return a, err == nil && a.status == http.StatusCreated
	})
	plan.End() // what was late comes now
	w.ExpireLeases()
	w.whole(id, content, claimed)
	w.Start()
	w.ask(http.StatusCreated, "POST", string(id)+"/complete", "")
	calls, _, _ := plan.Seen()
	return calls >= k
}

// TestRefusalIsTold has every call of a completion whose content is refused, and of the next request, meet a fault.
// Whatever happens the client is told why, and never that there is no such upload.
func TestRefusalIsTold(t *testing.T) {
	worlds(t, func(w *world) {
		w.Scan = func(context.Context, *file.Upload) error { return file.ErrInfected }
		for _, f := range faults {
			w.Sub(f.String(), func() {
				for k := 1; w.refusedScene(f, k); k++ {
					if k > 100 {
						w.T.Fatal("the scene never ends")
					}
				}
			})
		}
	})
}

func (w *world) refusedScene(f uploadtest.Fault, k int) (hit bool) {
	w.T.Helper()
	content := uploadtest.Content(1000)
	w.Start()
	id := w.begin(len(content), "")
	w.send(id, content)
	plan := uploadtest.NewPlan(f, k)
	w.StartUnder(plan)
	for told := 1; told <= 2; told++ {
		w.insist(plan, func() (answer, bool) {
			a, err := w.try("POST", string(id)+"/complete", "")
			if err == nil && (a.status == http.StatusNotFound || a.status < 300 && a.status != http.StatusAccepted) {
				w.T.Errorf("%s %d: told %d %s", f, k, a.status, a.body)
			}
			return a, err == nil && a.Code == "UPLOAD_011"
		})
	}
	plan.End()
	calls, _, _ := plan.Seen()
	return calls >= k
}

// insist repeats a request until it has succeeded, with a new process if the one has died or hangs.
func (w *world) insist(plan *uploadtest.Plan, request func() (answer, bool)) answer {
	w.T.Helper()
	for end := time.Now().Add(time.Minute); ; {
		w.ExpireLeases() // of processes that died, or whose fault kept them from giving it back
		done := make(chan answer, 1)
		stuck := plan.OrLeave(func() {
			if a, ok := request(); ok {
				done <- a
			}
		})
		if stuck == nil && len(done) > 0 {
			return <-done
		}
		if _, _, dead := plan.Seen(); dead || stuck != nil {
			w.Start()
		}
		if time.Now().After(end) {
			w.T.Fatal("it never succeeds")
		}
	}
}

// TestSweepFinishes has the process die at every call of a completion, and nobody ask again: the sweep makes the file,
// or the upload is as it was.
func TestSweepFinishes(t *testing.T) {
	worlds(t, func(w *world) {
		for _, f := range []uploadtest.Fault{uploadtest.CrashBefore, uploadtest.CrashAfter} {
			w.Sub(f.String(), func() {
				for k := 1; w.crashScene(f, k); k++ {
				}
			})
		}
	})
}

func (w *world) crashScene(f uploadtest.Fault, k int) (hit bool) {
	w.T.Helper()
	content := uploadtest.Content(1000)
	w.Start()
	id := w.begin(len(content), `,"sha256":"`+hexSum(content)+`"`)
	w.send(id, content)
	plan := uploadtest.NewPlan(f, k)
	w.StartUnder(plan)
	a, err := w.try("POST", string(id)+"/complete", "")
	if err != nil {
		w.T.Fatal(err)
	}
	w.ExpireLeases()
	engine := w.Start()
	if err := engine.Sweep(w.T.Context()); err != nil {
		w.T.Fatal(err)
	}
	u, err := w.Rows.UploadRow(w.T.Context(), id)
	switch {
	case err == nil && u.State == file.Recorded:
		w.whole(id, content, true)
	case err != nil || u.State != file.Open || u.Complete() || a.status == http.StatusCreated:
		w.T.Fatalf("%s %d: answered %d, and left as %+v (%v)", f, k, a.status, u, err)
	default:
		w.ask(http.StatusCreated, "POST", string(id)+"/complete", "")
		w.whole(id, content, true)
	}
	calls, _, _ := plan.Seen()
	return calls >= k
}
