package upload_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
	"holdfast/storage"
	"holdfast/upload"
)

// mixtures are the ways to make a final upload: the store copies whole partial uploads as parts, or they are read and
// sent if they are too short for that.
var mixtures = map[string][][]byte{
	"copied": {uploadtest.Content(storage.MinCopy), uploadtest.Content(storage.MinCopy + 1),
		uploadtest.Content(10)},
	"sent":          {uploadtest.Content(100), uploadtest.Content(uploadtest.PartSize + 100), uploadtest.Content(1000)},
	"one":           {uploadtest.Content(100)},
	"empty":         {nil, nil},
	"empty between": {uploadtest.Content(10), nil, uploadtest.Content(20)},
}

func TestConcatenation(t *testing.T) {
	worlds(t, func(w *world) {
		for name, bodies := range mixtures {
			w.Sub(name, func() {
				urls, want := w.Partials(bodies...), bytes.Join(bodies, nil)
				for _, u := range urls {
					if _, err := w.Rows.File(w.T.Context(), uploadtest.ID(u)); err == nil {
						w.T.Error("a partial upload became a file")
					}
				}
				status, h, err := w.Final(urls)
				if err != nil || status != http.StatusCreated || h.Get("Content-Location") == "" {
					w.T.Fatal(status, h, err)
				}
				url := h.Get("Location")
				w.Check(url, want)
				if _, h, _ := w.Send(w.T.Context(), "HEAD", url, nil); h.Get("Upload-Offset") != strconv.Itoa(len(want)) ||
					h.Get("Upload-Concat") != "final;"+strings.Join(urls, " ") {
					w.T.Error(h)
				}
				for _, u := range urls {
					if w.Lives(uploadtest.ID(u)) {
						w.T.Errorf("%s stayed", u)
					}
				}
				w.gets(url, urls)
				if status, _, _ := w.Patch(w.T.Context(), url, int64(len(want)), []byte("x")); status != http.StatusForbidden {
					w.T.Errorf("PATCH of a final upload: %d", status)
				}
			})
		}
	})
}

// gets repeats the request for a final upload, as a client that lost the answer: it gets the same file, also if it says
// something else of it this time.
func (w *world) gets(url string, urls []string) {
	w.T.Helper()
	for _, header := range [][]string{nil, {"Upload-Metadata", "filename b3RoZXI="}} {
		status, again, err := w.Final(urls, header...)
		if err != nil || status != http.StatusCreated || again.Get("Location") != url {
			w.T.Error(status, again, err)
		}
	}
	if _, h, _ := w.Send(w.T.Context(), "HEAD", url, nil); strings.Contains(h.Get("Upload-Metadata"), "b3RoZXI=") {
		w.T.Errorf("the file has another name now: %v", h)
	}
}

// noCopy is a store that can't copy parts, like Google Cloud Storage.
type noCopy struct{ upload.Objects }

func (noCopy) CopyPart(context.Context, file.Location, string, int64, int64, file.Location, file.Multipart,
	int32) (file.Part, error) {
	return file.Part{}, fmt.Errorf("copy: %w", storage.ErrNoCopy)
}

func TestConcatenationWithoutCopy(t *testing.T) {
	worlds(t, func(w *world) {
		w.Objects = noCopy{uploadtest.Store()}
		w.Start()
		urls := w.Partials(mixtures["copied"]...)
		status, h, err := w.Final(urls)
		if err != nil || status != http.StatusCreated {
			w.T.Fatal(status, err)
		}
		w.Check(h.Get("Location"), bytes.Join(mixtures["copied"], nil))
	})
}

// lostSource is a store that has lost the objects that are to be copied, or their bucket.
type lostSource struct {
	upload.Objects
	err error
}

func (s lostSource) CopyPart(context.Context, file.Location, string, int64, int64, file.Location, file.Multipart,
	int32) (file.Part, error) {
	return file.Part{}, fmt.Errorf("copy: %w", s.err)
}

// A source that the store has lost is no 404: the client asks for a final upload. The final upload is gone with it. A
// store that has not even the bucket may be another one.
func TestConcatenationOfALostSource(t *testing.T) {
	worlds(t, func(w *world) {
		for fault, want := range map[error]int{file.ErrObjectMissing: http.StatusGone,
			storage.ErrNoBucket: http.StatusServiceUnavailable} {
			w.Objects = lostSource{uploadtest.Store(), fault}
			w.Start()
			if status, _, err := w.Final(w.Partials(mixtures["copied"]...)); err != nil || status != want {
				w.T.Errorf("%v: %d %v", fault, status, err)
			}
		}
	})
}

// TestFaultAtEveryCallOfAConcatenation makes final uploads with a fault at each call to SQL and S3. The client repeats
// the request until it has its file, and there is only one.
func TestFaultAtEveryCallOfAConcatenation(t *testing.T) {
	worlds(t, func(w *world) {
		for name, bodies := range map[string][][]byte{"copied": {uploadtest.Content(storage.MinCopy), uploadtest.Content(10)},
			"sent": {uploadtest.Content(100), uploadtest.Content(200)}} {
			for _, f := range faults {
				w.Sub(fmt.Sprintf("%s/%s", name, f), func() {
					first, step := 1, 1
					if race && name == "copied" {
						first, step = 1+int(f), 9 // `make faults` tries every call
					}
					for k := first; w.concatScene(bodies, f, k); k += step {
						if k > 500 {
							w.T.Fatal("the scenario never ends")
						}
					}
				})
			}
		}
	})
}

func (w *world) concatScene(bodies [][]byte, f uploadtest.Fault, k int) (hit bool) {
	w.T.Helper()
	w.Layout = uploadtest.NewLayout() // a check lists all folders of the bucket
	first := w.Start()
	urls := w.Partials(bodies...)
	first.Wait()
	p := uploadtest.NewPlan(f, k)
	engines := []*upload.Engine{w.StartUnder(p)}
	var url string
	var waiting []func()
	for try := 0; url == ""; try++ {
		if try > 50 {
			w.T.Fatalf("%s %d: the final upload never comes", f, k)
		}
		// New variables for each request: an earlier one that the client left may still write to its own.
		status, h := new(int), new(http.Header)
		stuck := p.OrLeave(func() { *status, *h, _ = w.Final(urls) })
		if stuck != nil {
			waiting = append(waiting, stuck)
		} else if *status == http.StatusCreated {
			url = h.Get("Location")
		} else if *status != 0 && *status < 500 && *status != http.StatusConflict && *status != http.StatusLocked {
			w.T.Fatalf("%s %d: the final upload was refused with %d", f, k, *status)
		}
		if _, _, dead := p.Seen(); (dead || stuck != nil) && len(engines) == 1 {
			engines = append(engines, w.Start())
		}
		if url == "" {
			w.ExpireLeases()
		}
	}
	want := bytes.Join(bodies, nil)
	w.Check(url, want)
	p.End()
	for _, wait := range waiting {
		wait()
	}
	for _, e := range engines {
		e.Wait()
	}
	w.Check(url, want)
	var files int
	if err := w.Raw.QueryRow("select count(*) from files").Scan(&files); err != nil || files != 1 {
		w.T.Fatalf("%s %d: %d files (%v)", f, k, files, err)
	}
	calls, _, _ := p.Seen()
	w.Start()
	if status, _, err := w.Send(context.Background(), "DELETE", url, nil); status != http.StatusNoContent {
		w.T.Fatal(status, err)
	}
	return calls >= k
}
