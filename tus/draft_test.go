package tus_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
)

// Clients of the IETF's draft are held to the same rules as tus clients.
func TestDraft(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		d := &draftClient{w, uploadtest.Content(3000), w.URL + "/files/tus/"}
		d.inOneRequest("its length is known", bytes.NewReader(d.body))
		d.inOneRequest("its length is not known", uploadtest.Trickle{Reader: bytes.NewReader(d.body), Piece: 100})
		d.inTwoRequests()
		d.refused()
		d.uploadOfAnotherUser()
	})
}

// draftClient sends requests of the draft.
type draftClient struct {
	*uploadtest.World
	body   []byte
	create string // the URL for POST
}

func (d *draftClient) send(method, url string, body io.Reader, header ...string) (int, http.Header) {
	d.T.Helper()
	status, h, err := d.Send(d.T.Context(), method, url, body,
		append([]string{"Tus-Resumable", "", "Upload-Draft-Interop-Version", "6"}, header...)...)
	if err != nil {
		d.T.Fatal(err)
	}
	return status, h
}

func (d *draftClient) inOneRequest(name string, body io.Reader) {
	d.T.Helper()
	status, h := d.send("POST", d.create, body, "Upload-Complete", "?1", "Content-Type", "text/plain",
		"Content-Disposition", `attachment; filename="a.txt"`)
	if status != http.StatusCreated {
		d.T.Fatalf("%s: %d %v", name, status, h)
	}
	d.Check(h.Get("Location"), d.body)
	r, _ := d.Rows.File(d.T.Context(), uploadtest.ID(h.Get("Location")))
	if r.Name != "a.txt" || r.Type != "text/plain" {
		d.T.Errorf("%s: %+v", name, r)
	}
}

// inTwoRequests sends the file in two requests; a wrong request in between is refused.
func (d *draftClient) inTwoRequests() {
	d.T.Helper()
	status, h := d.send("POST", d.create, bytes.NewReader(d.body[:1000]), "Upload-Complete", "?0", "Upload-Length", "3000")
	url := h.Get("Location")
	if status != http.StatusCreated || url == "" {
		d.T.Fatal(status, h)
	}
	if status, h := d.send("HEAD", url, nil); status != http.StatusNoContent || h.Get("Upload-Offset") != "1000" ||
		h.Get("Upload-Complete") != "?0" ||
		!strings.HasSuffix(h.Get("Upload-Limit"), "max-size="+strconv.Itoa(uploadtest.MaxSize)) {
		d.T.Error(status, h)
	}
	for _, c := range [][3]string{{"HEAD", "Upload-Offset", "0"}, {"HEAD", "Upload-Complete", "?0"},
		{"HEAD", "Upload-Length", "3000"}, {"DELETE", "Upload-Offset", "1000"}, {"DELETE", "Upload-Complete", "?1"}} {
		if status, _ := d.send(c[0], url, nil, c[1], c[2]); status != http.StatusBadRequest {
			d.T.Errorf("%v: %d", c, status)
		}
	}
	part := []string{"Content-Type", "application/partial-upload", "Upload-Offset", "1000", "Upload-Complete", "?1"}
	if status, _ := d.send("PATCH", url, bytes.NewReader(d.body[1000:2000]), part...); status != http.StatusBadRequest {
		d.T.Errorf("complete in the middle: %d", status)
	}
	if status, _ := d.send("PATCH", url, bytes.NewReader(d.body[1000:]), part...); status != http.StatusCreated {
		d.T.Errorf("the rest: %d", status)
	}
	d.Check(url, d.body)
}

func (d *draftClient) refused() {
	d.T.Helper()
	endless := uploadtest.Trickle{Reader: bytes.NewReader(make([]byte, uploadtest.MaxSize+1)), Piece: 1 << 20}
	for _, c := range []struct {
		what   string
		body   io.Reader
		header []string
		want   int
	}{
		{"a declared length over the cap", nil,
			[]string{"Upload-Complete", "?0", "Upload-Length", strconv.Itoa(uploadtest.MaxSize + 1)},
			http.StatusRequestEntityTooLarge},
		{"more bytes than the cap", endless, []string{"Upload-Complete", "?1"}, http.StatusRequestEntityTooLarge},
		{"an Upload-Complete that can't be read", nil, []string{"Upload-Complete", "true"}, http.StatusBadRequest},
		{"a broken Content-Type", nil, []string{"Upload-Complete", "?1", "Content-Type", ";;"}, http.StatusBadRequest},
		{"a broken Content-Disposition", nil, []string{"Upload-Complete", "?1", "Content-Disposition", ";;"},
			http.StatusBadRequest},
	} {
		if status, _ := d.send("POST", d.create, c.body, c.header...); status != c.want {
			d.T.Errorf("%s: %d", c.what, status)
		}
	}
}

func (d *draftClient) uploadOfAnotherUser() {
	d.T.Helper()
	status, h := d.send("POST", d.create, nil, "Upload-Complete", "?0", "Upload-Length", "10")
	d.As(file.Identity{Kind: file.KindUser, UserID: 2, AccountID: 1})
	got, _ := d.send("PATCH", h.Get("Location"), strings.NewReader("x"), "Content-Type", "application/partial-upload",
		"Upload-Offset", "0")
	if status != http.StatusCreated || got != http.StatusForbidden {
		d.T.Errorf("another user's upload: %d %d", status, got)
	}
}
