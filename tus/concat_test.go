package tus

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"holdfast/file"
	"holdfast/storage"
)

// partials uploads each body as a partial upload and returns their URLs.
func (w *world) partials(bodies ...[]byte) (urls []string) {
	w.t.Helper()
	for _, b := range bodies {
		status, h, err := w.send(w.t.Context(), "POST", w.url+"/files/tus/", nil, "Upload-Length", strconv.Itoa(len(b)), "Upload-Concat", "partial")
		if err != nil || status != http.StatusCreated {
			w.t.Fatal(status, err)
		}
		urls = append(urls, h.Get("Location"))
		if len(b) == 0 {
			continue
		}
		if status, _, err := w.patch(w.t.Context(), urls[len(urls)-1], 0, b); err != nil || status != http.StatusNoContent {
			w.t.Fatal(status, err)
		}
	}
	return urls
}

func (w *world) final(urls []string, header ...string) (int, http.Header, error) {
	return w.send(context.Background(), "POST", w.url+"/files/tus/", nil, append(header, "Upload-Concat", "final;"+strings.Join(urls, " "))...)
}

// mixtures are the ways in which a final upload is made: by the store, which copies
// whole partials as parts, and by reading and sending, where they are too short for that.
var mixtures = map[string][][]byte{
	"copied":        {content(storage.MinCopy), content(storage.MinCopy + 1), content(10)},
	"sent":          {content(100), content(partSize + 100), content(1000)},
	"one":           {content(100)},
	"empty":         {nil, nil},
	"empty between": {content(10), nil, content(20)},
}

func TestConcatenation(t *testing.T) {
	worlds(t, func(w *world) {
		for name, bodies := range mixtures {
			w.sub(name, func() {
				urls, want := w.partials(bodies...), bytes.Join(bodies, nil)
				for _, u := range urls {
					if _, err := w.rows.File(w.t.Context(), idOf(u)); err == nil {
						w.t.Error("a partial upload became a file")
					}
				}
				status, h, err := w.final(urls)
				if err != nil || status != http.StatusCreated || h.Get("Content-Location") == "" {
					w.t.Fatal(status, h, err)
				}
				url := h.Get("Location")
				w.check(url, want)
				if _, h, _ := w.send(w.t.Context(), "HEAD", url, nil); h.Get("Upload-Offset") != strconv.Itoa(len(want)) || h.Get("Upload-Concat") != "final;"+strings.Join(urls, " ") {
					w.t.Error(h)
				}
				for _, u := range urls {
					if w.lives(idOf(u)) {
						w.t.Errorf("%s stayed", u)
					}
				}
				// The answer was lost, the client asks again.
				status, again, err := w.final(urls)
				if err != nil || status != http.StatusCreated || again.Get("Location") != url {
					w.t.Error(status, again, err)
				}
				if status, _, _ := w.patch(w.t.Context(), url, int64(len(want)), []byte("x")); status != http.StatusForbidden {
					w.t.Errorf("PATCH of a final upload: %d", status)
				}
			})
		}
	})
}

// noCopy is a store that can't copy parts, as Google's S3 API.
type noCopy struct{ Objects }

func (noCopy) CopyPart(context.Context, file.Location, string, int64, int64, file.Location, string, int32) (string, error) {
	return "", fmt.Errorf("copy: %w", storage.ErrNoCopy)
}

func TestConcatenationWithoutCopy(t *testing.T) {
	worlds(t, func(w *world) {
		w.objects = noCopy{s3.Client}
		w.start(newPlan(none, 0))
		urls := w.partials(mixtures["copied"]...)
		status, h, err := w.final(urls)
		if err != nil || status != http.StatusCreated {
			w.t.Fatal(status, err)
		}
		w.check(h.Get("Location"), bytes.Join(mixtures["copied"], nil))
	})
}

// TestFaultAtEveryCallOfAConcatenation makes final uploads with a fault at each call to
// SQL and S3. The client asks again until it has its file, which is the only one.
func TestFaultAtEveryCallOfAConcatenation(t *testing.T) {
	worlds(t, func(w *world) {
		for name, bodies := range map[string][][]byte{"copied": {content(storage.MinCopy), content(10)}, "sent": {content(100), content(200)}} {
			for _, f := range faults {
				w.sub(fmt.Sprintf("%s/%s", name, f), func() {
					first, step := 1, 1
					if race && name == "copied" {
						first, step = 1+int(f), 9 // `make faults` goes through all of them
					}
					for k := first; w.concatScene(bodies, f, k); k += step {
						if k > 500 {
							w.t.Fatal("the scenario never ends")
						}
					}
				})
			}
		}
	})
}

func (w *world) concatScene(bodies [][]byte, f fault, k int) (hit bool) {
	w.t.Helper()
	first := w.start(newPlan(none, 0))
	urls := w.partials(bodies...)
	first.Wait()
	p := newPlan(f, k)
	engines := []*Engine{w.start(p)}
	var url string
	var waiting []func()
	for try := 0; url == ""; try++ {
		if try > 50 {
			w.t.Fatalf("%s %d: the final upload never comes", f, k)
		}
		// Of this request alone: one that was left may still answer.
		status, h := new(int), new(http.Header)
		stuck := p.orLeave(func() { *status, *h, _ = w.final(urls) })
		if stuck != nil {
			waiting = append(waiting, stuck)
		} else if *status == http.StatusCreated {
			url = h.Get("Location")
		} else if *status != 0 && *status < 500 && *status != http.StatusConflict && *status != http.StatusLocked {
			w.t.Fatalf("%s %d: the final upload was refused with %d", f, k, *status)
		}
		if _, _, dead := p.seen(); (dead || stuck != nil) && len(engines) == 1 {
			engines = append(engines, w.start(newPlan(none, 0)))
		}
		if url == "" {
			w.expireLeases()
		}
	}
	want := bytes.Join(bodies, nil)
	w.check(url, want)
	p.end()
	for _, wait := range waiting {
		wait()
	}
	for _, e := range engines {
		e.Wait()
	}
	w.check(url, want)
	var files int
	if err := w.raw.QueryRow("select count(*) from files").Scan(&files); err != nil || files != 1 {
		w.t.Fatalf("%s %d: %d files (%v)", f, k, files, err)
	}
	calls, _, _ := p.seen()
	w.start(newPlan(none, 0))
	if status, _, err := w.send(context.Background(), "DELETE", url, nil); status != http.StatusNoContent {
		w.t.Fatal(status, err)
	}
	return calls >= k
}
