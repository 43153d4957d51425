package upload_test

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
	"holdfast/internal/test/uploadtest"
	"holdfast/storage"
	"holdfast/upload"
	"holdfast/upload/memory"
)

// scatter stores body as an open upload of tails of n bytes each, as an older version, or many slow requests, could
// leave it.
func (w *world) scatter(e *upload.Engine, url string, body []byte, n int) {
	w.T.Helper()
	s, err := e.Take(w.T.Context(), uploadtest.ID(url), nil)
	if err != nil {
		w.T.Fatal(err)
	}
	defer s.Close()
	u := s.Upload()
	sum := sha256.New()
	sum.Write(body)
	state, err := sum.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		w.T.Fatal(err)
	}
	p := file.Progress{Offset: int64(len(body)), HashState: state}
	for from := 0; from < len(body); from += n {
		piece := body[from:min(from+n, len(body))]
		t := file.Tail{Offset: int64(from), Size: int64(len(piece)), Key: storage.TailKey(u.ID, u.Epoch,
			int64(from+len(piece)))}
		if _, err := uploadtest.Store().Put(w.T.Context(), file.Location{Bucket: u.Location.Bucket, Key: t.Key},
			file.DefaultType, bytes.NewReader(piece), t.Size); err != nil {
			w.T.Fatal(err)
		}
		p.Tails = append(p.Tails, t)
	}
	if _, err := w.Rows.Commit(w.T.Context(), u.Fence(), p); err != nil {
		w.T.Fatal(err)
	}
}

// full takes all memory until free is called.
func (w *world) full(e *upload.Engine) (free func()) {
	w.T.Helper()
	hog := e.Budget().Join()
	if err := hog.Get(w.T.Context(), e.Budget().Stats().Limit); err != nil {
		w.T.Fatal(err)
	}
	return hog.Close
}

// An upload with more tails than there are slabs in the memory is finished, by the sweep and by its client, though no
// memory is free: the tails are read from the store while they are sent to it.
func TestMoreTailsThanMemory(t *testing.T) {
	worlds(t, func(w *world) {
		w.Memory = 4 * memory.LargeSlab
		e := w.Start()
		body := uploadtest.Content(40)
		url := w.Create(len(body))
		w.scatter(e, url, body, 1)
		free := w.full(e)
		if err := e.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.Check(url, body)
		free()

		url = w.Create(len(body) + 1)
		w.scatter(e, url, body, 1)
		if status, _, err := w.Patch(t.Context(), url, int64(len(body)), []byte("x")); status != http.StatusNoContent {
			t.Fatal(status, err)
		}
		w.Check(url, append(body, 'x'))
	})
}

// However small its requests are, and however little memory there is, an upload always has few tails.
func TestFewTails(t *testing.T) {
	worlds(t, func(w *world) {
		e := w.Start()
		body := uploadtest.Content(120)
		url := w.Create(len(body))
		for i := range body {
			w.full(e)() // all memory was used elsewhere: no tail is kept in it
			if status, _, err := w.Patch(t.Context(), url, int64(i), body[i:i+1]); status != http.StatusNoContent {
				t.Fatal(status, err)
			}
			if n := w.Count("upload_tails", uploadtest.ID(url)); n > upload.MaxTails+8 { // and one for each binary digit of 120
				t.Fatalf("%d tails after %d requests", n, i+1)
			}
		}
		w.Check(url, body)
		e.Wait()
		if n := w.InStore("tails/" + string(uploadtest.ID(url))); n != 0 {
			t.Errorf("%d tails stay in the store", n)
		}
	})
}

// An upload that was begun when there was more memory has parts that are larger than all memory now. It can be
// continued, and so can others.
func TestPartsLargerThanMemory(t *testing.T) {
	worlds(t, func(w *world) {
		body := uploadtest.Content(uploadtest.PartSize + uploadtest.PartSize/2)
		url := w.Create(len(body))
		w.Memory = 8 * memory.LargeSlab // a tenth of a part
		e := w.Start()
		third := len(body) / 3
		for sent := 0; sent < len(body); sent += third {
			end := min(sent+third, len(body))
			status, h, err := w.Patch(t.Context(), url, int64(sent), body[sent:end])
			if status != http.StatusNoContent || h.Get("Upload-Offset") != strconv.Itoa(end) {
				t.Fatal(status, h, err)
			}
			other := w.Create(3)
			if status, _, err := w.Patch(t.Context(), other, 0, []byte("abc")); status != http.StatusNoContent {
				t.Fatal("another one's:", status, err)
			}
		}
		w.Check(url, body)
		e.Wait()
		if n := inUse(e); n != 0 {
			t.Errorf("%d bytes of memory were not given back", n)
		}
	})
}

// A request that gets no memory in time is refused; the bytes that were read before are kept.
func TestNoMemoryInTime(t *testing.T) {
	worlds(t, func(w *world) {
		w.MemoryWait = 1 // nanosecond
		e := w.Start()
		// Large, since the store may be fast enough to give a slab back in time, now and then.
		body := uploadtest.Content(100 * memory.SmallSlab)
		url := w.Create(len(body))
		free := w.full(e)
		status, h, err := w.Patch(t.Context(), url, 0, body)
		if status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" || h.Get("Upload-Offset") != "0" {
			t.Fatal(status, h, err)
		}
		free()

		s, err := e.Take(t.Context(), uploadtest.ID(url), nil)
		if err != nil {
			t.Fatal(err)
		}
		u := s.Upload()
		r := &filler{Reader: bytes.NewReader(body), b: e.Budget(), after: memory.SmallSlab}
		_, err = s.Append(0, upload.Body{Reader: r, Length: -1, Interrupt: func() {}})
		s.Close()
		if !errors.Is(err, file.ErrBusy) {
			t.Fatal(err)
		}
		if u.Offset < memory.SmallSlab {
			t.Errorf("%d bytes were kept of %d that had come", u.Offset, memory.SmallSlab)
		}
		r.hog.Close()
		w.MemoryWait = 0
		w.Start()
		if status, _, err := w.Patch(t.Context(), url, u.Offset, body[u.Offset:]); status != http.StatusNoContent {
			t.Fatal(status, err)
		}
		w.Check(url, body)
	})
}

// filler is a body that takes all remaining memory once some of it was read.
type filler struct {
	io.Reader
	b     *memory.Budget
	after int
	hog   *memory.Share
}

func (r *filler) Read(p []byte) (int, error) {
	if r.after <= 0 && r.hog == nil {
		r.hog = r.b.Join()
		s := r.b.Stats()
		if err := r.hog.Get(context.Background(), s.Limit-s.Used); err != nil {
			return 0, err
		}
	}
	n, err := r.Reader.Read(p)
	r.after -= n
	return n, err
}

// A payload can be read again from any byte, from memory and from the store; and not at all after the call that sent
// it.
func TestPayloadReader(t *testing.T) {
	worlds(t, func(w *world) {
		e := w.Start()
		body := uploadtest.Content(50)
		url := w.Create(len(body) + 10)
		w.scatter(e, url, body, 7)
		s, err := e.Take(t.Context(), uploadtest.ID(url), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		u := s.Upload()
		rest := e.Budget().NewBuffer()
		rest.Grow(memory.SmallSlab)
		rest.Extend(copy(rest.Space(), "0123456789"))
		want := append(body, "0123456789"...)
		r, again, end := e.ReadTails(u, rest)
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
		if err := end(); err != nil {
			t.Error(err)
		}
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, upload.ErrCallOver) {
			t.Error(err)
		}
		if _, err := r.Seek(0, io.SeekStart); !errors.Is(err, upload.ErrCallOver) {
			t.Error(err)
		}
		if err := uploadtest.Store().Delete(t.Context(), file.Location{Bucket: u.Location.Bucket,
			Key: u.Tails[3].Key}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(again()); !errors.Is(err, file.ErrLost) {
			t.Error(err)
		}
		if err := end(); !errors.Is(err, file.ErrLost) {
			t.Error("what could not be read is not the call's fault:", err)
		}
	})
}
