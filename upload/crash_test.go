package upload_test

import (
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
	"holdfast/storage"
	"holdfast/upload"
)

// smallPart is the size of the scenarios' parts, in bytes: some slabs of memory. S3 would refuse such parts, the
// embedded store takes them. With parts of megabytes, thousands of scenes would take the race detector many minutes.
const smallPart = 320 << 10

// scenario is an upload in chunks of these sizes. Faults occur from chunk armed on.
type scenario struct {
	name    string
	chunks  []int
	armed   int
	planned int64 // part size; 0: smallPart
	checked bool  // each chunk has a checksum, so it is committed as a whole or not at all
}

var scenarios = []scenario{
	{name: "whole", chunks: []int{1000}},
	{name: "parts at once", chunks: []int{2*smallPart + 1000}},
	{name: "parts and tails", chunks: []int{smallPart * 3 / 5, smallPart * 3 / 5, 100, smallPart - 7}},
	{name: "many tails", chunks: slices.Repeat([]int{10}, upload.MaxTails+2), armed: upload.MaxTails - 1},
	{name: "only tails", chunks: []int{100, 200}},
	{name: "one full part", chunks: []int{smallPart - 1, 1}},
	{name: "parts as long as chunks", chunks: []int{storage.MinPart, storage.MinPart, 100}, planned: 8 << 20},
	{name: "checked", chunks: []int{100, smallPart}, checked: true},
}

func (s scenario) size() (n int) {
	for _, c := range s.chunks {
		n += c
	}
	return n
}

var faults = []uploadtest.Fault{uploadtest.FailBefore, uploadtest.FailAfter, uploadtest.FailThrice, uploadtest.Late,
	uploadtest.CrashBefore, uploadtest.CrashAfter, uploadtest.Stall}

// TestFaultAtEveryCall runs each scenario with a fault at the first call to SQL or S3, then at the second, and so on,
// for each kind of fault. Whatever happens: an offset that was answered never goes back, the file is visible only when
// it is complete, and in the end it has the bytes that were sent.
func TestFaultAtEveryCall(t *testing.T) {
	worlds(t, func(w *world) {
		for _, s := range scenarios {
			for _, f := range faults {
				w.Sub(fmt.Sprintf("%s/%s", s.name, f), func() {
					step := 1
					switch { // `make faults` tries every call
					case race && (s.size() > 1<<20 || len(s.chunks) > upload.MaxTails):
						step = 9
					case race && s.size() >= smallPart:
						step = 3
					}
					first := 1 + int(f)%step
					for k := first; w.scene(s, f, k); k += step {
						if k > 500 {
							w.T.Fatal("the scenario never ends")
						}
					}
				})
			}
		}
	})
}

// scene runs s with fault f at call k. It returns false if s makes fewer calls.
func (w *world) scene(s scenario, f uploadtest.Fault, k int) (hit bool) {
	w.T.Helper()
	w.Planned = cmp.Or(s.planned, smallPart)
	w.Layout = uploadtest.NewLayout() // a check lists all folders of the bucket
	r := &crashRun{world: w, scenario: s, plan: uploadtest.NewPlan(f, k), body: uploadtest.Content(s.size()),
		at: fmt.Sprintf("%s %d", f, k)}
	if s.armed > 0 {
		r.plan.Disarm()
	}
	r.engines = append(r.engines, w.Start())
	r.url = w.Create(s.size()) // creation is tested in package hooks
	r.engines = append(r.engines, w.StartUnder(r.plan))

	r.sendChunks()
	w.Check(r.url, r.body)
	r.endLeftRequests()
	w.Check(r.url, r.body)
	for _, e := range r.engines {
		if n := inUse(e); n != 0 {
			w.T.Fatalf("%s: %d bytes of memory were not given back", r.at, n)
		}
	}
	w.MakeRoom(r.url)
	calls, call, _ := r.plan.Seen()
	if w.T.Failed() {
		w.T.Fatalf("%s (%s)", r.at, call)
	}
	return calls >= k
}

// crashRun is one run of a scenario with one fault.
type crashRun struct {
	*world
	scenario
	plan    *uploadtest.Plan
	at      string // the fault and its call, for messages
	engines []*upload.Engine
	waiting []func() // each waits for a request to an engine that the client left
	url     string
	body    []byte

	answered int64 // the last offset in an answer
	sent     int   // the offset from which the next chunk is sent
}

// sendChunks sends the chunks like a client: after each it asks for the offset, and sends again what is missing.
func (r *crashRun) sendChunks() {
	r.T.Helper()
	chunks := slices.Clone(r.chunks)
	for i := 0; i < len(chunks); i++ {
		if i == r.armed {
			r.plan.Arm()
		}
		end := r.sent + chunks[i]
		r.sendChunk(r.sent, end)
		early := r.visible(r.url) // read before the offset: the upload may finish in between
		now := r.checkedOffset(r.offset(), end, early)
		r.answered = now
		if now < int64(end) { // the same chunk again, or the rest of it
			chunks[i] -= int(now) - r.sent
			i--
		}
		r.sent = int(now)
	}
}

func (r *crashRun) sendChunk(from, end int) {
	var status int
	var h http.Header
	var checksum []string
	if r.checked {
		sum := sha1.Sum(r.body[from:end])
		checksum = []string{"Upload-Checksum", "sha1 " + base64.StdEncoding.EncodeToString(sum[:])}
	}
	stuck := r.plan.OrLeave(func() {
		status, h, _ = r.Patch(context.Background(), r.url, int64(from), r.body[from:end], checksum...)
	})
	if stuck == nil && status == http.StatusNoContent {
		r.answered, _ = strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
	}
	r.leave(stuck)
}

// offset asks for the offset, and asks again if the engine dies or hangs meanwhile.
func (r *crashRun) offset() int64 {
	r.T.Helper()
	for {
		offset := new(int64) // a new variable for each request: one that the client left may still write to its own
		stuck := r.plan.OrLeave(func() { *offset = r.Head(r.url) })
		if !r.leave(stuck) {
			return *offset
		}
	}
}

// leave starts a new engine, once, if the present one died or its request hangs (stuck).
func (r *crashRun) leave(stuck func()) bool {
	_, _, dead := r.plan.Seen()
	if stuck != nil {
		r.waiting = append(r.waiting, stuck)
	}
	if left := len(r.engines) > 2; left || !dead && stuck == nil {
		return false
	}
	r.ExpireLeases()
	r.engines = append(r.engines, r.Start())
	return true
}

// checkedOffset checks the offset now after a chunk up to end, and returns the last offset that it read. early says
// whether the file was visible before now was read.
func (r *crashRun) checkedOffset(now int64, end int, early bool) int64 {
	r.T.Helper()
	whole := int64(r.size())
	switch {
	case now < r.answered:
		r.T.Fatalf("%s: %d was answered, the offset is %d", r.at, r.answered, now)
	case r.checked && now != int64(r.sent) && now != int64(end):
		r.T.Fatalf("%s: a part of a chunk with a checksum was taken, up to %d of %d", r.at, now, end)
	case now > int64(end):
		r.T.Fatalf("%s: %d bytes were sent, the offset is %d", r.at, end, now)
	case now < whole && early:
		r.T.Fatalf("%s: visible before it was whole, at %d of %d bytes", r.at, now, whole)
	case now < whole && r.visible(r.url):
		// The hanging call may run in the background of the request that the client left, such as the removal of old
		// tails: then that request ends meanwhile, and the file is complete.
		if before := now; len(r.waiting) > 0 {
			now = r.Head(r.url)
			r.T.Logf("%s: at %d a moment ago, now at %d", r.at, before, now)
		}
		if now < whole {
			r.T.Fatalf("%s: visible at %d of %d bytes", r.at, now, whole)
		}
	}
	return now
}

// endLeftRequests lets the requests that the client left continue: they have an old state and must change nothing.
func (r *crashRun) endLeftRequests() {
	r.plan.End()
	for _, wait := range r.waiting {
		wait()
	}
	for _, e := range r.engines {
		e.Wait()
	}
}

// visible reports whether the upload is a file already.
func (w *world) visible(url string) bool {
	w.T.Helper()
	_, err := w.Rows.File(w.T.Context(), uploadtest.ID(url))
	if err != nil && !errors.Is(err, file.ErrNotFound) {
		w.T.Fatal(err)
	}
	return err == nil
}
