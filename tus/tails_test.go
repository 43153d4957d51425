package tus

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding"
	"errors"
	"io"
	"net/http"
	"strconv"
	"testing"

	"holdfast/file"
	"holdfast/storage"
)

// scatter stores body as an open upload of tails of n bytes each, as an older version, or a
// crowd, could leave it.
func (w *world) scatter(e *Engine, url string, body []byte, n int) {
	w.t.Helper()
	l, u, err := e.leases.take(w.t.Context(), idOf(url), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer l.give()
	sum := sha256.New()
	sum.Write(body)
	state, err := sum.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		w.t.Fatal(err)
	}
	p := file.Progress{Offset: int64(len(body)), HashState: state}
	for from := 0; from < len(body); from += n {
		piece := body[from:min(from+n, len(body))]
		t := file.Tail{Offset: int64(from), Size: int64(len(piece)), Key: storage.TailKey(u.ID, u.Epoch, int64(from+len(piece)))}
		if _, err := s3.Put(w.t.Context(), file.Location{Bucket: u.Location.Bucket, Key: t.Key}, file.DefaultType, bytes.NewReader(piece), t.Size); err != nil {
			w.t.Fatal(err)
		}
		p.Tails = append(p.Tails, t)
	}
	if err := e.commitProgress(l.ctx, u, p); err != nil {
		w.t.Fatal(err)
	}
}

// full leaves no memory to anybody until it is called.
func (w *world) full(m *memory) (free func()) {
	w.t.Helper()
	if err := m.take(w.t.Context(), m.limit); err != nil {
		w.t.Fatal(err)
	}
	return func() { m.free(m.limit) }
}

// An upload with more tails than there are slabs in the memory is finished, by the sweeper
// and by its client, though there is no memory at all: they are read from the store into it.
func TestMoreTailsThanMemory(t *testing.T) {
	worlds(t, func(w *world) {
		w.memory = 4 * largeSlab
		e := w.start(newPlan(none, 0))
		body := content(40)
		url := w.create(len(body))
		w.scatter(e, url, body, 1)
		free := w.full(e.memory)
		if err := e.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.check(url, body)
		free()

		url = w.create(len(body) + 1)
		w.scatter(e, url, body, 1)
		if status, _, err := w.patch(t.Context(), url, int64(len(body)), []byte("x")); status != http.StatusNoContent {
			t.Fatal(status, err)
		}
		w.check(url, append(body, 'x'))
	})
}

// However small its requests are, and however little memory there is, an upload has few
// tails at all times.
func TestFewTails(t *testing.T) {
	worlds(t, func(w *world) {
		e := w.start(newPlan(none, 0))
		body := content(120)
		url := w.create(len(body))
		for i := range body {
			e.memory.throwAway() // as when the memory is needed elsewhere
			if status, _, err := w.patch(t.Context(), url, int64(i), body[i:i+1]); status != http.StatusNoContent {
				t.Fatal(status, err)
			}
			if n := w.count("upload_tails", idOf(url)); n > maxTails+8 { // and one for each binary digit of 120
				t.Fatalf("%d tails after %d requests", n, i+1)
			}
		}
		w.check(url, body)
		e.Wait()
		if n := w.inStore("tails/" + string(idOf(url))); n != 0 {
			t.Errorf("%d tails stay in the store", n)
		}
	})
}

// throwAway forgets all tails that are kept.
func (m *memory) throwAway() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.keeping.Len() > 0 {
		m.evict(m.keeping.Front())
	}
}

// An upload that was begun when there was more memory has parts that are longer than all
// there is now. It goes on, and others do.
func TestPartsLargerThanMemory(t *testing.T) {
	worlds(t, func(w *world) {
		body := content(partSize + partSize/2)
		url := w.create(len(body))
		w.memory = 8 * largeSlab // a tenth of a part
		e := w.start(newPlan(none, 0))
		third := len(body) / 3
		for sent := 0; sent < len(body); sent += third {
			end := min(sent+third, len(body))
			status, h, err := w.patch(t.Context(), url, int64(sent), body[sent:end])
			if status != http.StatusNoContent || h.Get("Upload-Offset") != strconv.Itoa(end) {
				t.Fatal(status, h, err)
			}
			other := w.create(3)
			if status, _, err := w.patch(t.Context(), other, 0, []byte("abc")); status != http.StatusNoContent {
				t.Fatal("another one's:", status, err)
			}
		}
		w.check(url, body)
		e.Wait()
		if n := e.memory.inUse(); n != 0 {
			t.Errorf("%d bytes of memory were not given back", n)
		}
	})
}

// Who gets no memory in time is told so, and keeps what was read of him.
func TestNoMemoryInTime(t *testing.T) {
	worlds(t, func(w *world) {
		e := w.start(newPlan(none, 0))
		e.memory.patience = 1 // nanosecond
		body := content(4 * smallSlab)
		url := w.create(len(body))
		free := w.full(e.memory)
		status, h, err := w.patch(t.Context(), url, 0, body)
		if status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" || h.Get("Upload-Offset") != "0" {
			t.Fatal(status, h, err)
		}
		free()

		l, u, err := e.leases.take(t.Context(), idOf(url), nil)
		if err != nil {
			t.Fatal(err)
		}
		r := &filler{Reader: bytes.NewReader(body), m: e.memory, after: smallSlab}
		_, err = e.append(l.ctx, u, source{Reader: r, length: -1, exceeded: never, cut: never, interrupt: func() {}})
		l.give()
		if !errors.Is(err, file.ErrBusy) {
			t.Fatal(err)
		}
		if u.Offset < smallSlab {
			t.Errorf("%d bytes were kept of %d that had come", u.Offset, smallSlab)
		}
		r.free()
		e.memory.patience = DefaultMemoryWait
		if status, _, err := w.patch(t.Context(), url, u.Offset, body[u.Offset:]); status != http.StatusNoContent {
			t.Fatal(status, err)
		}
		w.check(url, body)
	})
}

// filler is a body that takes all the memory that is left once some of it was read.
type filler struct {
	io.Reader
	m     *memory
	after int
	took  int64
}

func (r *filler) Read(p []byte) (int, error) {
	if r.after <= 0 && r.took == 0 {
		r.m.mu.Lock()
		r.took = r.m.limit - r.m.used
		r.m.used, r.m.leaving = r.m.limit, r.m.leaving+r.took
		r.m.mu.Unlock()
	}
	n, err := r.Reader.Read(p)
	r.after -= n
	return n, err
}

func (r *filler) free() { r.m.free(r.took) }

// A payload is read again from any byte, from memory and from the store; and not at all any
// more once the call that sent it is over.
func TestPayloadReader(t *testing.T) {
	worlds(t, func(w *world) {
		e := w.start(newPlan(none, 0))
		body := content(50)
		url := w.create(len(body) + 10)
		w.scatter(e, url, body, 7)
		u, err := w.rows.UploadRow(t.Context(), idOf(url))
		if err != nil {
			t.Fatal(err)
		}
		l, u, err := e.leases.take(t.Context(), u.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer l.give()
		p := e.gather(u.Location.Bucket, u.Tails)
		var rest buffer
		rest.grow(smallSlab)
		rest.extend(copy(rest.space(), "0123456789"))
		p.add(rest)
		want := append(body, "0123456789"...)
		r := e.reader(context.Background(), &p)
		for _, from := range []int64{0, 1, 7, 30, 49, 50, 55, 60} {
			if _, err := r.Seek(from, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want[from:]) {
				t.Errorf("from %d: %q %v, want %q", from, got, err, want[from:])
			}
		}
		if n, err := r.Seek(0, io.SeekEnd); n != 60 || err != nil {
			t.Error(n, err)
		}
		if _, err := r.Seek(61, io.SeekStart); err == nil {
			t.Error("behind the end")
		}
		if err := r.end(); err != nil {
			t.Error(err)
		}
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, errCallOver) {
			t.Error(err)
		}
		if _, err := r.Seek(0, io.SeekStart); !errors.Is(err, errCallOver) {
			t.Error(err)
		}
		if err := s3.Delete(t.Context(), file.Location{Bucket: u.Location.Bucket, Key: u.Tails[3].Key}); err != nil {
			t.Fatal(err)
		}
		r = e.reader(context.Background(), &p)
		if _, err := io.ReadAll(r); !errors.Is(err, file.ErrStorageRead) {
			t.Error(err)
		}
		if err := r.end(); !errors.Is(err, file.ErrStorageRead) {
			t.Error("what could not be read is not the call's fault:", err)
		}
	})
}
