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
	"holdfast/upload"
)

// scenario is an upload in chunks of these sizes. Faults strike from chunk armed on.
type scenario struct {
	name    string
	chunks  []int
	armed   int
	planned int64 // part size; 0: the smallest
	checked bool  // each chunk comes with its checksum, so it counts whole or not at all
}

var scenarios = []scenario{
	{name: "whole", chunks: []int{1000}},
	{name: "parts at once", chunks: []int{2*uploadtest.PartSize + 1000}},
	{name: "parts and tails", chunks: []int{3 << 20, 3 << 20, 100, 5<<20 - 7}},
	{name: "many tails", chunks: slices.Repeat([]int{10}, upload.MaxTails+2), armed: upload.MaxTails - 1},
	{name: "only tails", chunks: []int{100, 200}},
	{name: "one full part", chunks: []int{uploadtest.PartSize - 1, 1}},
	{name: "parts as long as chunks", chunks: []int{6 << 20, 6 << 20, 100}, planned: 8 << 20},
	{name: "checked", chunks: []int{100, uploadtest.PartSize}, checked: true},
}

func (s scenario) size() (n int) {
	for _, c := range s.chunks {
		n += c
	}
	return n
}

var faults = []uploadtest.Fault{uploadtest.FailBefore, uploadtest.FailAfter, uploadtest.FailThrice, uploadtest.Late,
	uploadtest.CrashBefore, uploadtest.CrashAfter, uploadtest.Stall}

// TestFaultAtEveryCall runs each scenario with a fault at the first call to SQL or S3,
// then at the second, and so on, for each kind of fault. Whatever happens: an offset
// that was answered never goes back, the file is seen only when it is whole, and in the
// end it is what was sent.
func TestFaultAtEveryCall(t *testing.T) {
	worlds(t, func(w *world) {
		for _, s := range scenarios {
			for _, f := range faults {
				w.Sub(fmt.Sprintf("%s/%s", s.name, f), func() {
					first, step := 1, 1
					if race && (s.size() > 1<<20 || len(s.chunks) > upload.MaxTails) {
						first, step = 1+int(f), 9 // `make faults` goes through all of them
					}
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

// scene runs s with fault f at call k. It returns false when s needs fewer calls.
func (w *world) scene(s scenario, f uploadtest.Fault, k int) (hit bool) {
	w.T.Helper()
	p := uploadtest.NewPlan(f, k)
	if s.armed > 0 {
		p.Disarm()
	}
	w.Planned = cmp.Or(s.planned, uploadtest.PartSize)
	engines := []*upload.Engine{w.Start()}
	url, body := w.Create(s.size()), uploadtest.Content(s.size()) // creation is the hooks', tested there
	engines = append(engines, w.StartUnder(p))

	answered, sent := int64(0), 0
	var waiting []func() // for requests of an engine that was left behind
	// leave goes on with a fresh service when this one died or hangs, as a client does.
	leave := func(stuck func()) bool {
		_, _, dead := p.Seen()
		if stuck != nil {
			waiting = append(waiting, stuck)
		}
		if left := len(engines) > 2; left || !dead && stuck == nil {
			return false
		}
		w.ExpireLeases()
		engines = append(engines, w.Start())
		return true
	}
	chunks := slices.Clone(s.chunks)
	for i := 0; i < len(chunks); i++ {
		if i == s.armed {
			p.Arm()
		}
		end := sent + chunks[i]
		var status int
		var h http.Header
		from := int64(sent)
		var checksum []string
		if s.checked {
			sum := sha1.Sum(body[from:end])
			checksum = []string{"Upload-Checksum", "sha1 " + base64.StdEncoding.EncodeToString(sum[:])}
		}
		stuck := p.OrLeave(func() { status, h, _ = w.Patch(context.Background(), url, from, body[from:end], checksum...) })
		if stuck == nil && status == http.StatusNoContent {
			answered, _ = strconv.ParseInt(h.Get("Upload-Offset"), 10, 64)
		}
		leave(stuck)
		early := w.visible(url) // before its offset is asked for, not to be overtaken
		var now int64
		for again := true; again; {
			offset := new(int64) // of this request alone: one that was left may still answer
			stuck := p.OrLeave(func() { *offset = w.Head(url) })
			if again = leave(stuck); !again {
				now = *offset
			}
		}
		switch {
		case now < answered:
			w.T.Fatalf("%s %d: %d was answered, the offset is %d", f, k, answered, now)
		case s.checked && now != from && now != int64(end):
			w.T.Fatalf("%s %d: a part of a chunk with a checksum was taken, up to %d of %d", f, k, now, end)
		case now > int64(end):
			w.T.Fatalf("%s %d: %d bytes were sent, the offset is %d", f, k, end, now)
		case now < int64(s.size()) && early:
			w.T.Fatalf("%s %d: seen before it was whole, at %d of %d bytes", f, k, now, s.size())
		case now < int64(s.size()) && w.visible(url):
			// What hangs may be beside the request that was left, such as the removal of old tails:
			// it comes to its end meanwhile, and then the file is whole.
			if before := now; len(waiting) > 0 {
				now = w.Head(url)
				w.T.Logf("%s %d: at %d a moment ago, now at %d", f, k, before, now)
			}
			if now < int64(s.size()) {
				w.T.Fatalf("%s %d: seen at %d of %d bytes", f, k, now, s.size())
			}
		}
		answered = now
		if now < int64(end) { // the same chunk again, or what is left of it
			chunks[i] -= int(now) - sent
			i--
		}
		sent = int(now)
	}
	w.Check(url, body)
	// The one that was left behind wakes up, believes what it believes, and changes nothing.
	p.End()
	for _, wait := range waiting {
		wait()
	}
	for _, e := range engines {
		e.Wait()
	}
	w.Check(url, body)
	for _, e := range engines {
		if n := inUse(e); n != 0 {
			w.T.Fatalf("%s %d: %d bytes of memory were not given back", f, k, n)
		}
	}
	w.MakeRoom(url)
	calls, at, _ := p.Seen()
	if w.T.Failed() {
		w.T.Fatalf("%s at call %d (%s)", f, k, at)
	}
	return calls >= k
}

// visible tells whether the upload is a file already.
func (w *world) visible(url string) bool {
	w.T.Helper()
	_, err := w.Rows.File(w.T.Context(), uploadtest.ID(url))
	if err != nil && !errors.Is(err, file.ErrNotFound) {
		w.T.Fatal(err)
	}
	return err == nil
}
