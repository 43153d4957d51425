package tus

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
	"time"

	"holdfast/file"
	"holdfast/storage"
)

// losesPart is a store that leaves a part out and says that all is well.
type losesPart struct{ Objects }

func (s losesPart) Complete(ctx context.Context, at file.Location, id string, parts []file.Part) error {
	return s.Objects.Complete(ctx, at, id, parts[1:])
}

func TestAnObjectOfTheWrongSizeIsNoFile(t *testing.T) {
	worlds(t, func(w *world) {
		w.objects = losesPart{s3.Client}
		w.start(newPlan(none, 0))
		body := content(2*partSize + 10)
		url := w.create(len(body))
		for range 2 { // nor when it is tried again
			status, h, err := w.patch(t.Context(), url, 0, body)
			if err != nil || status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
				t.Fatal(status, h, err)
			}
		}
		if status, _, _ := w.send(t.Context(), "HEAD", url, nil); status != http.StatusServiceUnavailable {
			t.Errorf("HEAD: %d", status)
		}
		if _, err := w.rows.File(t.Context(), idOf(url)); !errors.Is(err, file.ErrNotFound) {
			t.Error("a record was written:", err)
		}
	})
}

// A file that is not what its client said it would be ends, and is never seen.
func TestDeclaredDigest(t *testing.T) {
	worlds(t, func(w *world) {
		for _, size := range []int{0, 1000, partSize + 10} {
			body := content(size)
			right, wrong := sha256.Sum256(body), sha256.Sum256([]byte("other"))
			inMetadata := func(sum [32]byte) []string {
				return []string{"Upload-Metadata", "sha256 " + base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:])))}
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
				w.sub(fmt.Sprintf("%d/%s", size, c.name), func() {
					status, h, err := w.send(w.t.Context(), "POST", w.url+"/files/tus/", nil, append(c.create, "Upload-Length", strconv.Itoa(size))...)
					if size == 0 { // it is finished with its creation
						if c.send == nil && status != map[int]int{204: 201, 422: 422}[c.status] {
							w.t.Fatal(status, h, err)
						}
						return
					}
					url := h.Get("Location")
					status, _, err = w.patch(w.t.Context(), url, 0, body, c.send...)
					if err != nil || status != c.status {
						w.t.Fatal(status, err)
					}
					if status == http.StatusNoContent {
						w.check(url, body)
						return
					}
					if _, err := w.rows.File(w.t.Context(), idOf(url)); !errors.Is(err, file.ErrNotFound) {
						w.t.Error("a record was written:", err)
					}
					want := http.StatusNotFound
					if c.status == http.StatusBadRequest {
						want = http.StatusOK // it can still be sent
					}
					if status, _, _ := w.send(w.t.Context(), "HEAD", url, nil); status != want {
						w.t.Errorf("HEAD: %d", status)
					}
				})
			}
		}
	})
}

// trickle is a body that comes in small pieces.
type trickle struct {
	io.Reader
	piece int
}

func (r trickle) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), r.piece)]) }

// halting is a body that stands still after its first bytes until it may go on.
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

// watched is a body that looks at the memory whenever a piece of it is sent.
type watched struct {
	io.Reader
	m    *memory
	most *atomic.Int64
}

func (r watched) Read(p []byte) (int, error) {
	r.m.mu.Lock()
	used := r.m.used
	r.m.mu.Unlock()
	for most := r.most.Load(); used > most && !r.most.CompareAndSwap(most, used); most = r.most.Load() {
	}
	return r.Reader.Read(p[:min(len(p), 16<<10)])
}

// With memory for two parts, ten clients send more than twice as much at once. Half of them stand
// still in the middle until all others have come to their end: who waits, for the client or for memory,
// holds none that another one needs. And all together never hold more than there is.
func TestLittleMemory(t *testing.T) {
	worlds(t, func(w *world) {
		w.memory = MemoryFor(partSize)
		e := w.start(newPlan(none, 0))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // or a client that waits for ever would be waited for
		defer cancel()
		var most atomic.Int64
		send := func(url string, body []byte, how func(io.Reader) io.Reader) {
			for sent := 0; sent < len(body); { // in two requests, so that there are tails to put together
				end := min(sent+len(body)*2/3+1, len(body))
				r := watched{how(bytes.NewReader(body[sent:end])), e.memory, &most}
				status, h, err := w.send(ctx, "PATCH", url, r, "Upload-Offset", strconv.Itoa(sent), "Content-Type", octets)
				if err != nil || status != http.StatusNoContent || h.Get("Upload-Offset") != strconv.Itoa(end) {
					t.Error(status, h, err)
					return
				}
				sent = end
			}
			w.check(url, body)
		}
		var fast, slow sync.WaitGroup
		goOn := make(chan struct{})
		for i := range 10 {
			body := content(partSize + partSize/4*i/10)
			url := w.create(len(body))
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
		if n := most.Load(); n > w.memory || n < w.memory/2 {
			t.Errorf("up to %d bytes were in use, of %d", n, w.memory)
		}
		if n := e.memory.inUse(); n != 0 {
			t.Errorf("%d bytes of memory were not given back", n)
		}
	})
}

// askAll asks every request that could be asked to give back what it holds, and waits
// until it has.
func (m *memory) askAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.filling.Len() > 0 {
		s := m.filling.Remove(m.filling.Front()).(*share)
		s.place, s.ask = nil, true
		m.leaving += s.held
		s.asked <- struct{}{}
		for s.ask {
			m.mu.Unlock()
			runtime.Gosched()
			m.mu.Lock()
		}
	}
}

// presser asks for the memory back while its bytes are being read.
type presser struct {
	trickle
	m *memory
}

func (r presser) Read(p []byte) (int, error) {
	n, err := r.trickle.Read(p[:len(p)/2+1])
	r.m.askAll()
	return n, err
}

// Whoever is asked for its memory in the middle of a Read puts away what it has, and
// goes on: with small reads, and with such as go right into the slab of which the bytes
// before are on their way to the store.
func TestAskedForMemoryAtEveryRead(t *testing.T) {
	worlds(t, func(w *world) {
		for _, piece := range []int{700, 3000, 50000} {
			e := w.start(newPlan(none, 0))
			body := content(30*piece + 1)
			url := w.create(len(body))
			l, u, err := e.leases.take(t.Context(), idOf(url), nil)
			if err != nil {
				t.Fatal(err)
			}
			n, err := e.append(l.ctx, u, source{Reader: presser{trickle{bytes.NewReader(body), piece}, e.memory},
				exceeded: never, cut: never, interrupt: func() {}})
			if err != nil || n != int64(len(body)) {
				t.Fatal(n, err)
			}
			if len(u.Tails) < 10 {
				t.Errorf("with pieces of %d bytes only %d tails were put away", piece, len(u.Tails))
			}
			err = e.finish(l.ctx, u)
			l.give()
			if err != nil {
				t.Fatal(err)
			}
			e.Wait()
			w.check(url, body)
			if n := e.memory.inUse(); n != 0 {
				t.Errorf("%d bytes of memory were not given back", n)
			}
		}
	})
}

// An upload that waited too long for bytes is gone, with what it left in the store.
func TestExpiredUpload(t *testing.T) {
	worlds(t, func(w *world) {
		e := w.start(newPlan(none, 0))
		body := content(partSize + 1000)
		url, recorded := w.create(2*len(body)), w.create(3)
		status, h, err := w.patch(t.Context(), url, 0, body)
		if err != nil || status != http.StatusNoContent || h.Get("Upload-Expires") == "" {
			t.Fatal(status, h, err)
		}
		// Of a replica that died no row names these.
		u, err := w.rows.UploadRow(t.Context(), idOf(url))
		if err != nil {
			t.Fatal(err)
		}
		stray := file.Location{Bucket: u.Location.Bucket, Key: storage.TailKey(u.ID, 99, 7)}
		if _, err := s3.Put(t.Context(), stray, file.DefaultType, strings.NewReader("stray"), 5); err != nil {
			t.Fatal(err)
		}
		if _, err := s3.BeginMultipart(t.Context(), u.Location, u.Type, false); err != nil {
			t.Fatal(err)
		}
		if status, h, _ := w.patch(t.Context(), recorded, 0, []byte("abc")); status != http.StatusNoContent || h.Get("Upload-Expires") != "" {
			t.Fatal(status, h)
		}
		if _, err := w.raw.Exec("update uploads set expires = 1"); err != nil {
			t.Fatal(err)
		}
		for _, method := range []string{"HEAD", "PATCH", "DELETE"} {
			if status, _, _ := w.send(t.Context(), method, url, nil, "Upload-Offset", strconv.Itoa(len(body)), "Content-Type", octets); status != http.StatusGone {
				t.Errorf("%s: %d", method, status)
			}
		}
		if err := e.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if w.lives(idOf(url)) {
			t.Error("it stays")
		}
		if n := w.count("upload_parts", idOf(url)) + w.count("upload_tails", idOf(url)); n != 0 {
			t.Errorf("%d rows of parts and tails stay", n)
		}
		if n := w.inStore(string(idOf(url))); n != 0 {
			t.Errorf("%d objects stay", n)
		}
		if left, err := s3.Leftovers(t.Context(), u.Location.Bucket, u.ID); len(left.Keys)+len(left.Multiparts) != 0 || err != nil {
			t.Error("what no row named stays:", left, err)
		}
		w.check(recorded, []byte("abc"))
	})
}

// Who speaks the IETF's draft is held to the same rules.
func TestDraft(t *testing.T) {
	worlds(t, func(w *world) {
		body := content(3000)
		send := func(method, url string, body io.Reader, header ...string) (int, http.Header) {
			t.Helper()
			status, h, err := w.send(t.Context(), method, url, body, append([]string{"Tus-Resumable", "", "Upload-Draft-Interop-Version", "6"}, header...)...)
			if err != nil {
				t.Fatal(err)
			}
			return status, h
		}
		create := w.url + "/files/tus/"
		for name, c := range map[string]struct {
			body   io.Reader
			header []string
		}{
			"its length is known":     {bytes.NewReader(body), []string{"Upload-Complete", "?1"}},
			"its length is not known": {trickle{bytes.NewReader(body), 100}, []string{"Upload-Complete", "?1"}},
		} {
			status, h := send("POST", create, c.body, append(c.header, "Content-Type", "text/plain", "Content-Disposition", `attachment; filename="a.txt"`)...)
			if status != http.StatusCreated {
				t.Fatalf("%s: %d %v", name, status, h)
			}
			w.check(h.Get("Location"), body)
			if r, _ := w.rows.File(t.Context(), idOf(h.Get("Location"))); r.Name != "a.txt" || r.Type != "text/plain" {
				t.Errorf("%+v", r)
			}
		}
		// In two steps, and what is refused between them.
		status, h := send("POST", create, bytes.NewReader(body[:1000]), "Upload-Complete", "?0", "Upload-Length", "3000")
		url := h.Get("Location")
		if status != http.StatusCreated || url == "" {
			t.Fatal(status, h)
		}
		if status, h := send("HEAD", url, nil); status != http.StatusNoContent || h.Get("Upload-Offset") != "1000" || h.Get("Upload-Complete") != "?0" ||
			!strings.HasSuffix(h.Get("Upload-Limit"), "max-size="+strconv.Itoa(maxSize)) {
			t.Error(status, h)
		}
		part := []string{"Content-Type", "application/partial-upload", "Upload-Offset", "1000", "Upload-Complete", "?1"}
		if status, _ := send("PATCH", url, bytes.NewReader(body[1000:2000]), part...); status != http.StatusBadRequest {
			t.Errorf("complete in the middle: %d", status)
		}
		if status, _ := send("PATCH", url, bytes.NewReader(body[1000:]), part...); status != http.StatusNoContent {
			t.Errorf("the rest: %d", status)
		}
		w.check(url, body)

		tooLong := strconv.Itoa(maxSize + 1)
		if status, _ := send("POST", create, nil, "Upload-Complete", "?0", "Upload-Length", tooLong); status != http.StatusRequestEntityTooLarge {
			t.Errorf("a declared length over the cap: %d", status)
		}
		if status, _ := send("POST", create, trickle{bytes.NewReader(make([]byte, maxSize+1)), 1 << 20}, "Upload-Complete", "?1"); status != http.StatusRequestEntityTooLarge {
			t.Errorf("more bytes than the cap: %d", status)
		}
		for _, header := range []string{"Content-Type", "Content-Disposition"} {
			if status, _ := send("POST", create, nil, "Upload-Complete", "?1", header, ";;"); status != http.StatusBadRequest {
				t.Errorf("a broken %s: %d", header, status)
			}
		}
		// Another one's upload.
		status, h = send("POST", create, nil, "Upload-Complete", "?0", "Upload-Length", "10")
		w.as(file.Identity{Kind: file.KindUser, UserID: 2, AccountID: 1})
		if got, _ := send("PATCH", h.Get("Location"), strings.NewReader("x"), "Content-Type", "application/partial-upload", "Upload-Offset", "0"); status != http.StatusCreated || got != http.StatusForbidden {
			t.Errorf("another one's upload: %d %d", status, got)
		}
	})
}

// Sources of a final upload must be one's own, partial and finished.
func TestConcatRefusals(t *testing.T) {
	worlds(t, func(w *world) {
		good := w.partials([]byte("abc"))[0]
		whole := w.create(3)
		status, h, _ := w.send(t.Context(), "POST", w.url+"/files/tus/", nil, "Upload-Length", "5", "Upload-Concat", "partial")
		unfinished := h.Get("Location")
		if status != http.StatusCreated {
			t.Fatal(status)
		}
		foreign := func() string {
			w.as(file.Identity{Kind: file.KindUser, UserID: 2, AccountID: 1})
			defer w.as(alice)
			return w.partials([]byte("secret"))[0]
		}()
		for name, c := range map[string]struct {
			urls   []string
			header []string
			status int
		}{
			"another one's":        {[]string{good, foreign}, nil, http.StatusForbidden},
			"unfinished":           {[]string{good, unfinished}, nil, http.StatusBadRequest},
			"not partial":          {[]string{good, whole}, nil, http.StatusBadRequest},
			"unknown":              {[]string{good, "/files/tus/unknown"}, nil, http.StatusNotFound},
			"with a length":        {[]string{good}, []string{"Upload-Length", "3"}, http.StatusBadRequest},
			"with bytes":           {[]string{good}, []string{"Content-Type", octets}, http.StatusForbidden},
			"with broken metadata": {[]string{good}, []string{"Upload-Metadata", "a %"}, http.StatusBadRequest},
		} {
			if status, _, err := w.final(c.urls, c.header...); err != nil || status != c.status {
				t.Errorf("%s: %d %v, want %d", name, status, err, c.status)
			}
		}
		w.small(4)
		if status, _, _ := w.final([]string{good, w.partials([]byte("de"))[0]}); status != http.StatusRequestEntityTooLarge {
			t.Errorf("a sum over the cap: %d", status)
		}
		if status, h, _ := w.final([]string{good}); status != http.StatusCreated {
			t.Errorf("what was refused can't be used any more: %d %v", status, h)
		}
	})
}

// as lets the next requests come from somebody.
func (w *world) as(who file.Identity) { w.who.Store(&who) }

// small puts a service in place that takes files of up to n bytes.
func (w *world) small(n int64) {
	w.maxSize = n
	w.start(newPlan(none, 0))
}
