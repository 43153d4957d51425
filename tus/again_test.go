package tus_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
)

// after is a piece of a body that has no bytes: it calls a function when the bytes before it were sent.
type after func()

func (f after) Read([]byte) (int, error) { f(); return 0, io.EOF }

// forgetful is a world in which callers are lost while they send.
type forgetful struct{ *uploadtest.World }

// lose sends a body whose caller is not found any more when half of it was sent, and expects a status.
func (w forgetful) lose(err error, status int, method, url string, body []byte, header ...string) http.Header {
	w.T.Helper()
	half := len(body) / 2
	r := io.MultiReader(bytes.NewReader(body[:half]), after(func() { w.Identify.Store(&err) }),
		bytes.NewReader(body[half:]))
	// The body begins when the server reads it: by then it has authenticated the caller.
	got, h, failed := w.Send(w.T.Context(), method, url, r, append(header, "Expect", "100-continue")...)
	w.Identify.Store(nil)
	if failed != nil || got != status {
		w.T.Fatalf("%s: %d %v, want %d", method, got, failed, status)
	}
	return h
}

// goOn expects an upload at an offset, and sends the rest.
func (w forgetful) goOn(at string, content []byte, offset int64) {
	w.T.Helper()
	if n := w.Head(at); n != offset {
		w.T.Fatalf("the upload is at %d, not at %d", n, offset)
	}
	if status, _, err := w.Patch(w.T.Context(), at, offset, content[offset:], "Upload-Length",
		strconv.Itoa(len(content))); err != nil || status != http.StatusNoContent {
		w.T.Fatal(status, err)
	}
	w.Check(at, content)
}

// Who is not known any more at a body's end has no file made of it, and is not told that its bytes are kept. They are,
// and the next request, with a good token, goes on with them: of an upload that would have all of them, all but one.
func TestCallersAreAskedForAgain(t *testing.T) {
	draft := []string{"Upload-Draft-Interop-Version", "6", "Upload-Complete", "?1", "Tus-Resumable", "", "Content-Type",
		"application/partial-upload"}
	all := uploadtest.Content(10)
	scenes := map[string]struct {
		size, begun, sent int // bytes; size 0: not known
		kept              int64
		header            []string
	}{
		"the rest":            {10, 5, 5, 9, nil},
		"the whole":           {10, 0, 10, 9, nil},
		"one byte":            {1, 0, 1, 0, nil},
		"a piece":             {10, 2, 5, 7, nil},
		"of unknown length":   {0, 2, 5, 7, nil},
		"with its length":     {0, 5, 5, 9, []string{"Upload-Length", "10"}},
		"with a checksum":     {10, 5, 5, 5, uploadChecksum(all[5:])},
		"of the draft":        {10, 5, 5, 9, draft},
		"of the draft, ended": {0, 5, 5, 10, draft},
	}
	uploadtest.Worlds(t, func(world *uploadtest.World) {
		w := forgetful{world}
		w.Client = &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Hour, DisableKeepAlives: true}}
		for lost, want := range map[error]int{file.ErrUnauthenticated: 401, file.ErrRedis: 503} {
			for name, s := range scenes {
				w.Sub(name+", "+strconv.Itoa(want), func() {
					length := []string{"Upload-Length", strconv.Itoa(s.size), "Content-Type", uploadtest.Octets}
					if s.size == 0 {
						length = []string{"Upload-Defer-Length", "1", "Content-Type", uploadtest.Octets}
					}
					status, h, err := w.Send(w.T.Context(), "POST", w.URL+"/files/tus/", bytes.NewReader(all[:s.begun]), length...)
					if err != nil || status != http.StatusCreated {
						w.T.Fatal(status, err)
					}
					at := h.Get("Location")
					w.lose(lost, want, "PATCH", at, all[s.begun:s.begun+s.sent], append([]string{"Content-Type",
						uploadtest.Octets, "Upload-Offset", strconv.Itoa(s.begun)}, s.header...)...)
					content := all
					if s.size == 1 {
						content = all[:1]
					}
					w.goOn(at, content, s.kept)
				})
			}
			h := w.lose(lost, want, "POST", w.URL+"/files/tus/", all, "Upload-Length", "10", "Content-Type", uploadtest.Octets)
			w.goOn(h.Get("Location"), all, 9)
		}
	})
}
