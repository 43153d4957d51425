package tus_test

import (
	"bytes"
	"holdfast/file"
	"holdfast/internal/test/uploadtest"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// Who speaks the IETF's draft is held to the same rules.
func TestDraft(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		body := uploadtest.Content(3000)
		send := func(method, url string, body io.Reader, header ...string) (int, http.Header) {
			t.Helper()
			status, h, err := w.Send(t.Context(), method, url, body,
				append([]string{"Tus-Resumable", "", "Upload-Draft-Interop-Version", "6"}, header...)...)
			if err != nil {
				t.Fatal(err)
			}
			return status, h
		}
		create := w.URL + "/files/tus/"
		for name, c := range map[string]struct {
			body   io.Reader
			header []string
		}{
			"its length is known": {bytes.NewReader(body), []string{"Upload-Complete", "?1"}},
			"its length is not known": {uploadtest.Trickle{Reader: bytes.NewReader(body), Piece: 100},
				[]string{"Upload-Complete", "?1"}},
		} {
			status, h := send("POST", create, c.body, append(c.header, "Content-Type", "text/plain", "Content-Disposition",
				`attachment; filename="a.txt"`)...)
			if status != http.StatusCreated {
				t.Fatalf("%s: %d %v", name, status, h)
			}
			w.Check(h.Get("Location"), body)
			if r, _ := w.Rows.File(t.Context(), uploadtest.ID(h.Get("Location"))); r.Name != "a.txt" || r.Type != "text/plain" {
				t.Errorf("%+v", r)
			}
		}
		// In two steps, and what is refused between them.
		status, h := send("POST", create, bytes.NewReader(body[:1000]), "Upload-Complete", "?0", "Upload-Length", "3000")
		url := h.Get("Location")
		if status != http.StatusCreated || url == "" {
			t.Fatal(status, h)
		}
		if status, h := send("HEAD", url, nil); status != http.StatusNoContent || h.Get("Upload-Offset") != "1000" ||
			h.Get("Upload-Complete") != "?0" ||
			!strings.HasSuffix(h.Get("Upload-Limit"), "max-size="+strconv.Itoa(uploadtest.MaxSize)) {
			t.Error(status, h)
		}
		part := []string{"Content-Type", "application/partial-upload", "Upload-Offset", "1000", "Upload-Complete", "?1"}
		if status, _ := send("PATCH", url, bytes.NewReader(body[1000:2000]), part...); status != http.StatusBadRequest {
			t.Errorf("complete in the middle: %d", status)
		}
		if status, _ := send("PATCH", url, bytes.NewReader(body[1000:]), part...); status != http.StatusNoContent {
			t.Errorf("the rest: %d", status)
		}
		w.Check(url, body)

		tooLong := strconv.Itoa(uploadtest.MaxSize + 1)
		if status, _ := send("POST", create, nil, "Upload-Complete", "?0", "Upload-Length",
			tooLong); status != http.StatusRequestEntityTooLarge {
			t.Errorf("a declared length over the cap: %d", status)
		}
		if status, _ := send("POST", create, uploadtest.Trickle{Reader: bytes.NewReader(make([]byte, uploadtest.MaxSize+1)),
			Piece: 1 << 20}, "Upload-Complete", "?1"); status != http.StatusRequestEntityTooLarge {
			t.Errorf("more bytes than the cap: %d", status)
		}
		for _, header := range []string{"Content-Type", "Content-Disposition"} {
			if status, _ := send("POST", create, nil, "Upload-Complete", "?1", header, ";;"); status != http.StatusBadRequest {
				t.Errorf("a broken %s: %d", header, status)
			}
		}
		// Another one's upload.
		status, h = send("POST", create, nil, "Upload-Complete", "?0", "Upload-Length", "10")
		w.As(file.Identity{Kind: file.KindUser, UserID: 2, AccountID: 1})
		if got, _ := send("PATCH", h.Get("Location"), strings.NewReader("x"), "Content-Type", "application/partial-upload",
			"Upload-Offset", "0"); status != http.StatusCreated || got != http.StatusForbidden {
			t.Errorf("another one's upload: %d %d", status, got)
		}
	})
}
