package resumable_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"holdfast/digest"
	"holdfast/file"
	"holdfast/internal/test/uploadtest"
)

// versions are all supported versions; "" is the protocol without a version.
var versions = []string{"7", "8", "9", "10", ""}

// client speaks one version.
type client struct {
	*uploadtest.World
	version string
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) offset() int64 {
	n, err := strconv.ParseInt(a.header.Get("Upload-Offset"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func (c client) do(method, url string, body io.Reader, header ...string) answer {
	c.T.Helper()
	r, err := http.NewRequestWithContext(c.T.Context(), method, url, body)
	if err != nil {
		c.T.Fatal(err)
	}
	if c.version != "" {
		r.Header.Set("Upload-Draft-Interop-Version", c.version)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := c.Client.Do(r)
	if err != nil {
		c.T.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.T.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, b}
}

func (c client) post(complete string, body []byte, header ...string) answer {
	c.T.Helper()
	return c.do("POST", c.URL+"/files/tus/", bytes.NewReader(body), append(header, "Upload-Complete", complete)...)
}

func (c client) patch(url string, offset int, complete string, body io.Reader, header ...string) answer {
	c.T.Helper()
	return c.do("PATCH", url, body, append([]string{"Content-Type", "application/partial-upload", "Upload-Offset",
		strconv.Itoa(offset), "Upload-Complete", complete}, header...)...)
}

// eachVersion runs a scene for each version on each kind of database.
func eachVersion(t *testing.T, scene func(client)) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		for _, v := range versions {
			w.Sub("version "+v, func() { scene(client{w, v}) })
		}
	})
}

// file returns the id of the file that the final answer names.
func (c client) file(a answer) string {
	c.T.Helper()
	var progress struct {
		URL string `json:"public_url"`
		ID  string `json:"file_id"`
	}
	if err := json.Unmarshal(a.body, &progress); err != nil || progress.URL != c.URL+"/files/"+progress.ID {
		c.T.Fatalf("%v %s %v", a.header, a.body, err)
	}
	if a.status != http.StatusCreated || a.header.Get("Upload-Complete") != "?1" ||
		a.header.Get("Content-Location") != progress.URL || a.header.Get("Location") != progress.URL {
		c.T.Fatalf("the final answer: %d %v", a.status, a.header)
	}
	return progress.URL
}

// Sections 4.2 to 4.4: a file in one request or in several, of a length that is known at the beginning or at the end.
func TestUpload(t *testing.T) {
	eachVersion(t, func(c client) {
		body := uploadtest.Content(uploadtest.PartSize + 3000)
		a := c.post("?1", body, "Content-Type", "text/plain", "Content-Disposition",
			`inline; filename="a.txt"; filename*=UTF-8''%c3%84.txt`, "Want-Repr-Digest", "sha-256=5")
		url := c.file(a)
		c.Check(url, body)
		rec, err := c.Rows.File(c.T.Context(), uploadtest.ID(url))
		if err != nil || rec.Name != "Ä.txt" || rec.Type != "text/plain" ||
			a.header.Get("Repr-Digest") != digest.Format(rec.SHA256) {
			c.T.Errorf("%+v %v %v", rec, err, a.header)
		}
		c.Check(c.file(c.post("?1", nil)), nil)

		for name, length := range map[string][]string{"a known length": {"Upload-Length", strconv.Itoa(len(body))},
			"an unknown length": nil} {
			a = c.post("?0", body[:1000], length...)
			at := a.header.Get("Location")
			if a.status != http.StatusCreated || a.header.Get("Upload-Complete") != "?0" || a.offset() != 1000 ||
				!strings.Contains(a.header.Get("Upload-Limit"), "max-size="+strconv.Itoa(uploadtest.MaxSize)) {
				c.T.Fatalf("%s: %d %v", name, a.status, a.header)
			}
			if a = c.patch(at, 1000, "?0", bytes.NewReader(body[1000:2000])); a.status != http.StatusNoContent ||
				a.header.Get("Upload-Complete") != "?0" || a.offset() != 2000 {
				c.T.Fatalf("%s: %d %v", name, a.status, a.header)
			}
			if a = c.patch(at, 2000, "?0", nil); a.status != http.StatusNoContent || a.offset() != 2000 {
				c.T.Errorf("%s, nothing: %d %v", name, a.status, a.header)
			}
			chunked := uploadtest.Trickle{Reader: bytes.NewReader(body[2000:]), Piece: 1 << 20}
			c.Check(c.file(c.patch(at, 2000, "?1", chunked)), body)
		}
	})
}

// Section 4.3: the answers to HEAD and GET.
func TestOffsetRetrieval(t *testing.T) {
	eachVersion(t, func(c client) {
		at := c.post("?0", []byte("01234"), "Upload-Length", "10").header.Get("Location")
		for _, method := range []string{"HEAD", "GET"} {
			a := c.do(method, at, nil)
			if a.status != http.StatusNoContent || a.offset() != 5 || a.header.Get("Upload-Length") != "10" ||
				a.header.Get("Upload-Complete") != "?0" || a.header.Get("Cache-Control") != "no-store" ||
				!strings.Contains(a.header.Get("Upload-Limit"), "max-age=3") {
				c.T.Errorf("%s: %d %v", method, a.status, a.header)
			}
		}
		c.file(c.patch(at, 5, "?1", strings.NewReader("56789")))
		want := "?1"
		if c.version == "10" || c.version == "" { // ?1 would mean that the target has answered
			want = ""
		}
		if a := c.do("HEAD", at, nil); a.status != http.StatusNoContent || a.offset() != 10 ||
			a.header.Get("Upload-Complete") != want {
			c.T.Errorf("HEAD of a complete one: %d %v", a.status, a.header)
		}
		if a := c.do("GET", at, nil); c.version == "" && a.status != http.StatusTeapot ||
			c.version != "" && a.status != http.StatusNoContent {
			c.T.Errorf("GET of a complete one: %d %v", a.status, a.header)
		}
	})
}

// Section 4.4.2: a client that has not received the final answer can ask for it again.
func TestFinalAnswerAgain(t *testing.T) {
	eachVersion(t, func(c client) {
		at := c.post("?0", []byte("01234")).header.Get("Location")
		first := c.patch(at, 5, "?1", strings.NewReader("56789"))
		url := c.file(first)
		if again := c.patch(at, 10, "?1", nil); c.file(again) != url || !bytes.Equal(again.body, first.body) {
			c.T.Errorf("%d %v", again.status, again.header)
		}
		if a := c.patch(at, 5, "?1", strings.NewReader("56789")); a.status != http.StatusConflict || a.offset() != 10 ||
			a.header.Get("Upload-Complete") != "?0" {
			c.T.Errorf("at the old offset: %d %v", a.status, a.header)
		}
		if a := c.patch(at, 10, "?1", strings.NewReader("x")); a.status != http.StatusBadRequest {
			c.T.Errorf("with more bytes: %d %v", a.status, a.header)
		}
		c.Check(url, []byte("0123456789"))
	})
}

// Sections 4.1, 4.4 and 7: the refusals, and the problem type of each.
func TestRefusals(t *testing.T) {
	eachVersion(t, func(c client) {
		at := c.post("?0", []byte("01234"), "Upload-Length", "10").header.Get("Location")
		problem := func(what string, a answer, status int, kind string, members ...string) {
			c.T.Helper()
			var p map[string]any
			if err := json.Unmarshal(a.body, &p); err != nil || a.status != status ||
				!strings.HasSuffix(a.header.Get("Content-Type"), "json") {
				c.T.Errorf("%s: %d %s %v", what, a.status, a.body, err)
			}
			if got, _ := p["type"].(string); kind != strings.TrimPrefix(got,
				"https://iana.org/assignments/http-problem-types#") ||
				p["code"] == nil || kind != "" && a.header.Get("Content-Type") != "application/problem+json" {
				c.T.Errorf("%s: %v %s", what, a.header, a.body)
			}
			for i := 0; i < len(members); i += 2 {
				if n, _ := p[members[i]].(float64); strconv.Itoa(int(n)) != members[i+1] {
					c.T.Errorf("%s: %s", what, a.body)
				}
			}
		}
		a := c.patch(at, 4, "?0", strings.NewReader("4"))
		problem("another offset", a, 409, "mismatching-upload-offset", "expected-offset", "5", "provided-offset", "4")
		if a.offset() != 5 || a.header.Get("Upload-Complete") != "?0" {
			c.T.Errorf("another offset: %v", a.header)
		}
		const lengths = "inconsistent-upload-length"
		problem("complete too early", c.patch(at, 5, "?1", strings.NewReader("56")), 400, lengths)
		problem("complete too late", c.patch(at, 5, "?1", strings.NewReader("5678901")), 400, lengths)
		problem("another length", c.patch(at, 5, "?0", nil, "Upload-Length", "11"), 400, lengths)
		problem("two lengths", c.post("?1", []byte("01234"), "Upload-Length", "6"), 400, lengths)
		problem("another type", c.patch(at, 5, "?0", nil, "Content-Type", "application/offset+octet-stream"), 415, "")
		problem("no Upload-Complete", c.patch(at, 5, "1", nil), 400, "")
		if c.version != "" { // without a version and that field, it is not this protocol
			problem("a creation without Upload-Complete", c.post("true", []byte("01234")), 400, "")
		}
		problem("a negative offset", c.patch(at, -5, "?0", nil), 400, "")
		problem("over the cap", c.post("?0", nil, "Upload-Length", strconv.Itoa(uploadtest.MaxSize+1)), 413, "")
		problem("a broken name", c.post("?1", nil, "Content-Disposition", ";;"), 400, "")
		problem("a broken type", c.post("?1", nil, "Content-Type", ";;"), 400, "")
		problem("another upload", c.patch(c.URL+"/files/tus/none", 0, "?1", nil), 404, "")
		problem("a method", c.do("PUT", at, nil, "Upload-Complete", "?1"), 405, "")
		if a := c.do("HEAD", at, nil); a.offset() != 5 {
			c.T.Errorf("after all that: %d %v", a.status, a.header)
		}
		c.Check(c.file(c.patch(at, 5, "?1", strings.NewReader("56789"))), []byte("0123456789"))
	})
}

// Section 4.4.2: an append beyond the upload's length is refused, and so is every later request for the upload.
func TestLongerThanItsLength(t *testing.T) {
	eachVersion(t, func(c client) {
		at := c.post("?0", []byte("01234"), "Upload-Length", "10").header.Get("Location")
		body := uploadtest.Trickle{Reader: strings.NewReader("567890"), Piece: 1}
		if a := c.patch(at, 5, "?0", body); a.status != http.StatusRequestEntityTooLarge ||
			a.header.Get("Upload-Complete") == "?1" {
			c.T.Errorf("%d %v", a.status, a.header)
		}
		for _, a := range []answer{c.do("HEAD", at, nil), c.patch(at, 5, "?1", strings.NewReader("56789"))} {
			if a.status != http.StatusNotFound {
				c.T.Errorf("after that: %d %v", a.status, a.header)
			}
		}
	})
}

// Every method authenticates and authorizes the caller (sections 4.2.2 and 12).
func TestAccess(t *testing.T) {
	eachVersion(t, func(c client) {
		at := c.post("?0", []byte("01234")).header.Get("Location")
		verbs := func(want int) {
			c.T.Helper()
			for method, a := range map[string]answer{"HEAD": c.do("HEAD", at, nil), "DELETE": c.do("DELETE", at, nil),
				"PATCH": c.patch(at, 5, "?1", nil)} {
				if a.status != want {
					c.T.Errorf("%s: %d, want %d", method, a.status, want)
				}
			}
		}
		c.As(file.Identity{Kind: file.KindUser, UserID: 2, AccountID: 1})
		verbs(http.StatusForbidden)
		if a := c.do("GET", at, nil); c.version != "" && a.status != http.StatusForbidden ||
			c.version == "" && a.status != http.StatusTeapot { // as for any other file
			c.T.Errorf("GET: %d", a.status)
		}
		c.As(uploadtest.Alice)
		nobody := error(file.ErrUnauthenticated)
		c.Identify.Store(&nobody)
		verbs(http.StatusUnauthorized)
		if a := c.post("?1", nil); a.status != http.StatusUnauthorized {
			c.T.Errorf("POST: %d", a.status)
		}
		c.Identify.Store(nil)
		if a := c.do("HEAD", at, nil); a.offset() != 5 {
			c.T.Errorf("%d %v", a.status, a.header)
		}
	})
}

// Section 4.5.
func TestCancel(t *testing.T) {
	eachVersion(t, func(c client) {
		at := c.post("?0", []byte("01234")).header.Get("Location")
		if a := c.do("DELETE", at, nil, "If-Match", "*"); a.status != http.StatusPreconditionFailed {
			c.T.Errorf("under a condition: %d", a.status)
		}
		if a := c.do("DELETE", at, nil); a.status != http.StatusNoContent {
			c.T.Errorf("%d", a.status)
		}
		if a := c.do("HEAD", at, nil); a.status != http.StatusNotFound {
			c.T.Errorf("HEAD after it: %d", a.status)
		}
	})
}
