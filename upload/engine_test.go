package upload_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
	"holdfast/storage"
	"holdfast/upload"
	"holdfast/upload/memory"
)

// losesPart is a store that leaves out a part and reports success.
type losesPart struct{ upload.Objects }

func (s losesPart) Complete(ctx context.Context, at file.Location, m file.Multipart, parts []file.Part) error {
	return s.Objects.Complete(ctx, at, m, parts[1:])
}

func TestAnObjectOfTheWrongSizeIsNoFile(t *testing.T) {
	worlds(t, func(w *world) {
		w.Objects = losesPart{uploadtest.Store()}
		w.Start()
		body := uploadtest.Content(2*uploadtest.PartSize + 10)
		url := w.Create(len(body))
		for range 2 { // nor in the second attempt
			status, h, err := w.Patch(t.Context(), url, 0, body)
			if err != nil || status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
				t.Fatal(status, h, err)
			}
		}
		if status, _, _ := w.Send(t.Context(), "HEAD", url, nil); status != http.StatusServiceUnavailable {
			t.Errorf("HEAD: %d", status)
		}
		if _, err := w.Rows.File(t.Context(), uploadtest.ID(url)); !errors.Is(err, file.ErrNotFound) {
			t.Error("a record was written:", err)
		}
	})
}

// A file whose declared digest is wrong is removed, and is never visible.
func TestDeclaredDigest(t *testing.T) {
	worlds(t, func(w *world) {
		for _, size := range []int{0, 1000, uploadtest.PartSize + 10} {
			body := uploadtest.Content(size)
			right, wrong := sha256.Sum256(body), sha256.Sum256([]byte("other"))
			inMetadata := func(sum [32]byte) []string {
				return []string{"Upload-Metadata", "sha256 " +
					base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:])))}
			}
			inHeader := func(sum [32]byte) []string {
				return []string{"Repr-Digest", "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"}
			}
			for _, c := range []struct {
				name         string
				create, send []string
				status       int
			}{
				{"right in the metadata", inMetadata(right), nil, http.StatusNoContent},
				{"right at the end", nil, inHeader(right), http.StatusNoContent},
				{"right twice", inHeader(right), inHeader(right), http.StatusNoContent},
				{"wrong in the metadata", inMetadata(wrong), nil, http.StatusUnprocessableEntity},
				{"wrong at the end", nil, inHeader(wrong), http.StatusUnprocessableEntity},
				{"two different ones", inHeader(right), inHeader(wrong), http.StatusBadRequest},
			} {
				w.Sub(fmt.Sprintf("%d/%s", size, c.name), func() {
					status, h, err := w.Send(w.T.Context(), "POST", w.URL+"/files/tus/", nil, append(c.create, "Upload-Length",
						strconv.Itoa(size))...)
					if size == 0 { // it is finished when it is created
						if c.send == nil && status != map[int]int{204: 201, 422: 422}[c.status] {
							w.T.Fatal(status, h, err)
						}
						return
					}
					url := h.Get("Location")
					status, _, err = w.Patch(w.T.Context(), url, 0, body, c.send...)
					if err != nil || status != c.status {
						w.T.Fatal(status, err)
					}
					if status == http.StatusNoContent {
						w.Check(url, body)
						return
					}
					if _, err := w.Rows.File(w.T.Context(), uploadtest.ID(url)); !errors.Is(err, file.ErrNotFound) {
						w.T.Error("a record was written:", err)
					}
					want := http.StatusNotFound
					if c.status == http.StatusBadRequest {
						want = http.StatusOK // it can still be appended to
					}
					if status, _, _ := w.Send(w.T.Context(), "HEAD", url, nil); status != want {
						w.T.Errorf("HEAD: %d", status)
					}
				})
			}
		}
	})
}

// halting is a body that pauses after its first bytes until the test lets it continue.
type halting struct {
	io.Reader
	first int
	goOn  <-chan struct{}
}

func (r *halting) Read(p []byte) (int, error) {
	if r.first == 0 {
		<-r.goOn
		return r.Reader.Read(p)
	}
	n, err := r.Reader.Read(p[:min(len(p), r.first)])
	r.first -= n
	return n, err
}

// watched is a body that reads the memory's statistics whenever a piece is sent.
type watched struct {
	io.Reader
	m    *memory.Budget
	most *atomic.Int64
}

func (r watched) Read(p []byte) (int, error) {
	used := r.m.Stats().Used
	for most := r.most.Load(); used > most && !r.most.CompareAndSwap(most, used); most = r.most.Load() {
	}
	return r.Reader.Read(p[:min(len(p), 16<<10)])
}

// With memory for two parts, ten clients send more than twice as much at once. Half of them pause in the middle until
// all others have come to their end: a request that waits, for its client or for memory, holds none that another one
// needs. All together never hold more than the budget.
func TestLittleMemory(t *testing.T) {
	worlds(t, func(w *world) {
		w.Memory = upload.MemoryFor(uploadtest.PartSize)
		w.MemoryWait, w.LeaseTTL = time.Hour, time.Minute // longer than the slowest machine needs
		e := w.Start()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // otherwise a failure would hang the test
		defer cancel()
		var most atomic.Int64
		send := func(url string, body []byte, how func(io.Reader) io.Reader) {
			for sent := 0; sent < len(body); { // in two requests, so that there are tails to merge
				end := min(sent+len(body)*2/3+1, len(body))
				r := watched{how(bytes.NewReader(body[sent:end])), e.Budget(), &most}
				status, h, err := w.Send(ctx, "PATCH", url, r, "Upload-Offset", strconv.Itoa(sent), "Content-Type",
					uploadtest.Octets)
				if err != nil || status != http.StatusNoContent || h.Get("Upload-Offset") != strconv.Itoa(end) {
					t.Error(status, h, err)
					return
				}
				sent = end
			}
			w.Check(url, body)
		}
		var fast, slow sync.WaitGroup
		goOn := make(chan struct{})
		for i := range 10 {
			body := uploadtest.Content(uploadtest.PartSize + uploadtest.PartSize/4*i/10)
			url := w.Create(len(body))
			if i%2 == 0 {
				slow.Go(func() {
					send(url, body, func(r io.Reader) io.Reader { return &halting{r, len(body) / 2, goOn} })
				})
			} else {
				fast.Go(func() { send(url, body, func(r io.Reader) io.Reader { return r }) })
			}
		}
		fast.Wait()
		close(goOn)
		slow.Wait()
		e.Wait()
		if n := most.Load(); n > w.Memory || n < w.Memory/2 {
			t.Errorf("up to %d bytes were in use, of %d", n, w.Memory)
		}
		if n := inUse(e); n != 0 {
			t.Errorf("%d bytes of memory were not given back", n)
		}
	})
}

// presser is a body that sends its next piece only after the request has given its memory back.
type presser struct {
	uploadtest.Trickle
	e    *upload.Engine
	free int64 // bytes that may stay in use
}

func (r presser) Read(p []byte) (int, error) {
	for end := time.Now().Add(time.Minute); inUse(r.e) > r.free && time.Now().Before(end); {
		runtime.Gosched()
	}
	return r.Trickle.Read(p[:len(p)/2+1])
}

// takeBesideAHog returns a session on an upload, and another request that holds so much memory, in bytes, that all
// others are asked to give theirs back.
func (w *world) takeBesideAHog(e *upload.Engine, url string) (s *upload.Session, hog *memory.Share, most int64) {
	w.T.Helper()
	s, err := e.Take(w.T.Context(), uploadtest.ID(url), nil)
	if err != nil {
		w.T.Fatal(err)
	}
	hog, most = e.Budget().Join(), e.Budget().Stats().Limit/4*3
	if err := hog.Get(w.T.Context(), most); err != nil {
		w.T.Fatal(err)
	}
	return s, hog, most
}

// A request that is asked for its memory in the middle of a Read stores what it has, and goes on: with small reads,
// and with reads into a slab whose earlier bytes are being sent to the store.
func TestAskedForMemoryAtEveryRead(t *testing.T) {
	worlds(t, func(w *world) {
		for _, piece := range []int{700, 3000, 50000} {
			e := w.Start()
			body := uploadtest.Content(30*piece + 1)
			url := w.Create(len(body))
			s, hog, most := w.takeBesideAHog(e, url)
			// One byte is left for another request: the last byte would make the file, from the tails.
			first, last := body[:30*piece], body[30*piece:]
			slowly := uploadtest.Trickle{Reader: bytes.NewReader(first), Piece: piece}
			n, err := s.Append(0, upload.Body{Reader: presser{slowly, e, most + memory.LargeSlab}, Interrupt: func() {}})
			if err != nil || n != int64(len(first)) {
				t.Fatal(n, err)
			}
			if n := len(s.Upload().Tails); n < 10 {
				t.Errorf("with pieces of %d bytes only %d tails were stored", piece, n)
			}
			hog.Close()
			if n, err := s.Append(n, upload.Body{Reader: bytes.NewReader(last), Interrupt: func() {}}); err != nil || n != 1 {
				t.Fatal(n, err)
			}
			err = s.Finish()
			s.Close()
			if err != nil {
				t.Fatal(err)
			}
			e.Wait()
			w.Check(url, body)
			if n := inUse(e); n != 0 {
				t.Errorf("%d bytes of memory were not given back", n)
			}
		}
	})
}

// A body that is refused at its end completes no upload, also if its last bytes were stored to give memory back.
func TestRefusedAfterMemoryWasGivenBack(t *testing.T) {
	refused := errors.New("refused")
	worlds(t, func(w *world) {
		e := w.Start()
		body := uploadtest.Content(9001)
		url := w.Create(len(body))
		s, hog, most := w.takeBesideAHog(e, url)
		atEnd := presser{uploadtest.Trickle{Reader: iotest.ErrReader(refused), Piece: 1}, e, most}
		_, err := s.Append(0, upload.Body{Reader: io.MultiReader(bytes.NewReader(body), atEnd), Length: -1,
			Interrupt: func() {}})
		if u := s.Upload(); !errors.Is(err, refused) || u.Complete() {
			t.Errorf("%v; at %d of %d bytes, %d tails", err, u.Offset, u.Size, len(u.Tails))
		}
		hog.Close()
		at := s.Upload().Offset
		s.Close()
		if got := w.Head(url); got != at {
			t.Errorf("the offset is %d, not %d", got, at)
		}
		if status, _, err := w.Patch(t.Context(), url, at, body[at:]); status != http.StatusNoContent {
			t.Fatal(status, err)
		}
		e.Wait()
		w.Check(url, body)
		if n := inUse(e); n != 0 {
			t.Errorf("%d bytes of memory were not given back", n)
		}
	})
}

// An upload that has expired is removed, with everything that it has in the store.
func TestExpiredUpload(t *testing.T) {
	worlds(t, func(w *world) {
		e := w.Start()
		body := uploadtest.Content(uploadtest.PartSize + 1000)
		url, recorded := w.Create(2*len(body)), w.Create(3)
		status, h, err := w.Patch(t.Context(), url, 0, body)
		if err != nil || status != http.StatusNoContent || h.Get("Upload-Expires") == "" {
			t.Fatal(status, h, err)
		}
		// These belong to a replica that died; no row names them.
		u, err := w.Rows.UploadRow(t.Context(), uploadtest.ID(url))
		if err != nil {
			t.Fatal(err)
		}
		stray := file.Location{Bucket: u.Location.Bucket, Key: storage.TailKey(u.ID, 99, 7)}
		if _, err := uploadtest.Store().Put(t.Context(), stray, file.DefaultType, strings.NewReader("stray"), 5); err != nil {
			t.Fatal(err)
		}
		if _, err := uploadtest.Store().BeginMultipart(t.Context(), u.Location, u.Type, false); err != nil {
			t.Fatal(err)
		}
		if status, h, _ := w.Patch(t.Context(), recorded, 0, []byte("abc")); status != http.StatusNoContent ||
			h.Get("Upload-Expires") != "" {
			t.Fatal(status, h)
		}
		if _, err := w.Raw.Exec("update uploads set expires = 1"); err != nil {
			t.Fatal(err)
		}
		for _, method := range []string{"HEAD", "PATCH", "DELETE"} {
			if status, _, _ := w.Send(t.Context(), method, url, nil, "Upload-Offset", strconv.Itoa(len(body)), "Content-Type",
				uploadtest.Octets); status != http.StatusGone {
				t.Errorf("%s: %d", method, status)
			}
		}
		if err := e.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if w.Lives(uploadtest.ID(url)) {
			t.Error("it stays")
		}
		if n := w.Count("upload_parts", uploadtest.ID(url)) + w.Count("upload_tails", uploadtest.ID(url)); n != 0 {
			t.Errorf("%d rows of parts and tails stay", n)
		}
		if n := w.InStore(string(uploadtest.ID(url))); n != 0 {
			t.Errorf("%d objects stay", n)
		}
		if left, err := uploadtest.Store().Leftovers(t.Context(), u.Location.Bucket,
			u.ID); len(left.Keys)+len(left.Multiparts) != 0 || err != nil {
			t.Error("what no row named stays:", left, err)
		}
		w.Check(recorded, []byte("abc"))
	})
}
