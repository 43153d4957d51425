package resumable_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/uploadtest"
)

// plain returns a client that sends no field of the protocol unless a test adds one.
func plain(w *uploadtest.World) client { return client{w, ""} }

// record returns the record of the file that an answer names.
func (c client) record(a answer) file.Record {
	c.T.Helper()
	rec, err := c.Rows.File(c.T.Context(), uploadtest.ID(a.header.Get("Content-Location")))
	if err != nil {
		c.T.Fatalf("%d %v %s: %v", a.status, a.header, a.body, err)
	}
	return rec
}

// isEmpty fails if Alice has a file.
func (c client) isEmpty(what string) {
	c.T.Helper()
	files, _, err := c.Rows.Files(c.T.Context(), 1, 1, file.Cursor{}, 10)
	if err != nil || len(files) > 0 {
		c.T.Errorf("%s: %v %v", what, files, err)
	}
}

// Section 4.2: any address that accepts files creates an upload, if the client asks for one.
func TestCreationAtOtherAddresses(t *testing.T) {
	eachVersion(t, func(c client) {
		a := c.do("PUT", c.URL+"/files/%C3%B6.txt", strings.NewReader("01234"), "Upload-Complete", "?0", "Content-Type",
			"text/plain")
		at := a.header.Get("Location")
		if a.status != http.StatusCreated || !strings.HasPrefix(at, c.URL+"/files/tus/") || a.offset() != 5 ||
			a.header.Get("Upload-Complete") != "?0" {
			c.T.Fatalf("PUT: %d %v", a.status, a.header)
		}
		a = c.patch(at, 5, "?1", strings.NewReader("56789"))
		c.Check(c.file(a), []byte("0123456789"))
		if rec := c.record(a); rec.Name != "ö.txt" || rec.Type != "text/plain" {
			c.T.Errorf("%+v", rec)
		}
		a = c.do("POST", c.URL+"/files/upload", strings.NewReader("01234"), "Upload-Complete", "?1")
		c.Check(c.file(a), []byte("01234"))
		a = c.do("PUT", c.URL+"/files/a.txt", nil, "Upload-Complete", "?1", "Content-Disposition", "inline; filename=b.txt")
		if c.file(a); c.record(a).Name != "b.txt" {
			c.T.Errorf("Content-Disposition: %+v", c.record(a))
		}
	})
}

// The older versions work at these addresses, too.
func TestOldVersionsAtOtherAddresses(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		for _, v := range []string{"3", "4", "5", "6"} {
			c, begins, ends := client{w, v}, [2]string{"Upload-Complete", "?0"}, [2]string{"Upload-Complete", "?1"}
			if v == "3" {
				begins, ends = [2]string{"Upload-Incomplete", "?1"}, [2]string{"Upload-Incomplete", "?0"}
			}
			a := c.do("PUT", c.URL+"/files/a.txt", strings.NewReader("01234"), begins[0], begins[1])
			at := a.header.Get("Location")
			if a.status != http.StatusCreated || !strings.Contains(at, "/files/tus/") {
				c.T.Fatalf("version %s: %d %v %s", v, a.status, a.header, a.body)
			}
			a = c.do("PATCH", at, strings.NewReader("56789"), ends[0], ends[1], "Upload-Offset", "5",
				"Content-Type", "application/partial-upload")
			if a.status/100 != 2 || c.record(a).Name != "a.txt" {
				c.T.Errorf("version %s: %d %v", v, a.status, a.header)
			}
			c.Check(a.header.Get("Content-Location"), []byte("0123456789"))
		}
	})
}

// Section 10.1.1: a client that does not know the protocol makes a plain upload.
func TestPlainUpload(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		c, body := plain(w), uploadtest.Content(2*uploadtest.PartSize+100)
		for name, from := range map[string]io.Reader{"a known length": bytes.NewReader(body),
			"an unknown length": uploadtest.Trickle{Reader: bytes.NewReader(body), Piece: 1 << 20}} {
			a := c.do("PUT", c.URL+"/files/film%20one.mp4", from, "Content-Type", "video/mp4")
			url := a.header.Get("Content-Location")
			if a.status != http.StatusCreated || a.header.Get("Location") != url || a.header.Get("Upload-Complete") != "" ||
				!strings.Contains(string(a.body), url) {
				c.T.Fatalf("%s: %d %v %s", name, a.status, a.header, a.body)
			}
			if rec := c.record(a); rec.Name != file.CleanName("film one.mp4") || rec.Type != "video/mp4" {
				c.T.Errorf("%s: %+v", name, rec)
			}
			c.Check(url, body)
		}
		for _, b := range []string{"", "hello"} {
			a := c.do("POST", c.URL+"/files/upload", strings.NewReader(b), "Content-Type", "text/plain",
				"Content-Digest", digestOf(b), "Repr-Digest", digestOf(b))
			if a.status != http.StatusCreated {
				c.T.Fatalf("%d %v %s", a.status, a.header, a.body)
			}
			c.Check(a.header.Get("Content-Location"), []byte(b))
		}
	})
}

// A body that is not a whole file, or not the declared one, leaves nothing behind.
func TestPlainUploadRefused(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		c := plain(w)
		for name, scene := range map[string]struct {
			header []string
			want   int
		}{
			"a wrong Content-Digest":      {[]string{"Content-Digest", digestOf("other")}, 400},
			"a wrong Repr-Digest":         {[]string{"Repr-Digest", digestOf("other")}, 422},
			"a broken digest":             {[]string{"Content-Digest", "sha-256=x"}, 400},
			"a broken name":               {[]string{"Content-Disposition", ";;"}, 400},
			"a broken type":               {[]string{"Content-Type", ";;"}, 400},
			"a range":                     {[]string{"Content-Range", "bytes 0-4/10"}, 400},
			"a key":                       {[]string{"Idempotency-Key", "k"}, 400},
			"a condition":                 {[]string{"If-Match", `"x"`}, 412},
			"a piece":                     {[]string{"Content-Type", "application/partial-upload"}, 415},
			"a piece by tus":              {[]string{"Content-Type", "application/offset+octet-stream"}, 415},
			"a form":                      {[]string{"Content-Type", "multipart/form-data; boundary=b"}, 415},
			"a creation by tus":           {[]string{"Upload-Length", "5", "Tus-Resumable", "1.0.0"}, 400},
			"a creation without a length": {[]string{"Upload-Defer-Length", "1", "Tus-Resumable", "1.0.0"}, 400},
			"a part":                      {[]string{"Upload-Concat", "partial", "Tus-Resumable", "1.0.0"}, 400},
			"an offset":                   {[]string{"Upload-Offset", "5"}, 400},
			"what can't be read":          {[]string{"Upload-Complete", "true"}, 400},
			"what was version 3's":        {[]string{"Upload-Incomplete", "?1"}, 400},
			"version 3's without it":      {[]string{"Upload-Incomplete", "?0"}, 400},
			"a version only":              {[]string{"Upload-Draft-Interop-Version", "8"}, 400},
			"an older version only":       {[]string{"Upload-Draft-Interop-Version", "5"}, 400},
			"an unknown version":          {[]string{"Upload-Draft-Interop-Version", "99", "Upload-Complete", "?2"}, 400},
		} {
			if a := c.do("PUT", c.URL+"/files/a", strings.NewReader("01234"), scene.header...); a.status != scene.want {
				c.T.Errorf("%s: %d %s, want %d", name, a.status, a.body, scene.want)
			}
		}
		nobody := error(file.ErrUnauthenticated)
		c.Identify.Store(&nobody)
		if a := c.do("PUT", c.URL+"/files/a", strings.NewReader("x")); a.status != http.StatusUnauthorized {
			c.T.Errorf("nobody: %d", a.status)
		}
		c.Identify.Store(nil)
		c.As(file.Identity{Kind: file.KindLink})
		if a := c.do("PUT", c.URL+"/files/a", strings.NewReader("x")); a.status != http.StatusUnauthorized {
			c.T.Errorf("a link: %d", a.status)
		}
		c.As(uploadtest.Alice)
		c.isEmpty("what was refused")
	})
}

// A body that breaks off never becomes a file. One over the cap is refused before it is read, if its length is known.
func TestPlainUploadCutAndTooLong(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		c := plain(w)
		l := c.dial()
		l.begin(c, "PUT /files/a HTTP/1.1", "Connection: close", "Content-Length: "+
			strconv.Itoa(uploadtest.MaxSize+1))
		if status, _ := l.answer(); status != http.StatusRequestEntityTooLarge {
			c.T.Errorf("over the cap: %d", status)
		}
		l = c.dial()
		l.begin(c, "PUT /files/a HTTP/1.1", "Content-Length: 10", "Expect: 100-continue")
		if status, _ := l.answer(); status != http.StatusContinue {
			c.T.Errorf("%d, want 100", status)
		}
		l.Write([]byte("01234"))
		l.Conn.(interface{ CloseWrite() error }).CloseWrite()
		if status, _ := l.answer(); status != http.StatusBadRequest {
			c.T.Errorf("cut: %d", status)
		}
		c.isEmpty("what broke off")

		w.MaxSize = 1000
		w.Start()
		body := uploadtest.Trickle{Reader: bytes.NewReader(make([]byte, 1001)), Piece: 100}
		if a := c.do("PUT", c.URL+"/files/a", body); a.status != http.StatusRequestEntityTooLarge {
			c.T.Errorf("of unknown length, over the cap: %d %s", a.status, a.body)
		}
		if a := c.post("?0", nil, "Upload-Length", "1001"); a.status != http.StatusRequestEntityTooLarge {
			c.T.Errorf("over the cap, resumable: %d", a.status)
		}
		at := c.post("?0", make([]byte, 900)).header.Get("Location")
		for _, complete := range []string{"?0", "?1"} {
			if a := c.patch(at, 900, complete, uploadtest.Trickle{Reader: bytes.NewReader(make([]byte, 101)),
				Piece: 50}); a.status !=
				http.StatusRequestEntityTooLarge || !strings.Contains(a.header.Get("Upload-Limit"), "max-size=1000") {
				c.T.Errorf("of unknown length, over the cap, resumable: %d %v %s", a.status, a.header, a.body)
			}
			at = c.post("?0", make([]byte, 900)).header.Get("Location")
		}
		c.isEmpty("what was too long")
	})
}

// With an unknown version the whole file is accepted, as by a server that speaks no version. A part of a file is not.
func TestUnknownVersionAtOtherAddresses(t *testing.T) {
	uploadtest.Worlds(t, func(w *uploadtest.World) {
		c := client{w, "99"}
		a := c.do("PUT", c.URL+"/files/a", strings.NewReader("01234"), "Upload-Complete", "?1")
		if a.status != http.StatusCreated || !strings.Contains(a.header.Get("Upload-Draft-Interop-Version"), "9, 10") {
			c.T.Fatalf("?1: %d %v", a.status, a.header)
		}
		c.Check(a.header.Get("Content-Location"), []byte("01234"))
		a = c.do("PUT", c.URL+"/files/a", strings.NewReader("01234"), "Upload-Complete", "?0")
		if a.status != http.StatusPreconditionFailed || !strings.Contains(string(a.body), "9, 10") {
			c.T.Errorf("?0: %d %s", a.status, a.body)
		}
	})
}

// after is a body that calls a function before it ends.
type after func()

func (f after) Read([]byte) (int, error) { f(); return 0, io.EOF }

// waiting returns a client whose bodies begin only when the server reads them: by then it has authenticated the
// caller.
func (c client) waiting() client {
	c.Client = &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Hour, DisableKeepAlives: true}}
	return c
}

// Section 12: a client that loses its permissions while it sends does not complete its file.
func TestRightsAreAskedForAgain(t *testing.T) {
	eachVersion(t, func(c client) {
		all := c.Client
		defer func() { c.Client = all; c.As(uploadtest.Alice) }()
		c = c.waiting()
		losing := func() io.Reader {
			return io.MultiReader(strings.NewReader("56789"),
				after(func() { c.As(file.Identity{Kind: file.KindUser, UserID: 2, AccountID: 1}) }))
		}
		for name, begun := range map[string][]string{"a known length": {"Upload-Length", "10"}, "an unknown length": nil} {
			at := c.post("?0", []byte("01234"), begun...).header.Get("Location")
			if a := c.patch(at, 5, "?1", losing(), "Expect", "100-continue"); a.status != http.StatusForbidden {
				c.T.Errorf("%s: %d %v", name, a.status, a.header)
			}
			c.As(uploadtest.Alice)
			if a := c.do("HEAD", at, nil); a.header.Get("Content-Location") != "" {
				c.T.Errorf("%s, after it: %d %v", name, a.status, a.header)
			}
		}
		a := plain(c.World).do("PUT", c.URL+"/files/a", losing(), "Expect", "100-continue")
		if a.status != http.StatusForbidden {
			c.T.Errorf("a plain upload: %d", a.status)
		}
		c.As(uploadtest.Alice)
		for lost, status := range map[error]int{file.ErrUnauthenticated: 401, file.ErrRedis: 503} {
			forgotten := func() io.Reader {
				return io.MultiReader(strings.NewReader("56789"), after(func() { c.Identify.Store(&lost) }))
			}
			at := c.post("?0", []byte("01234"), "Upload-Length", "10").header.Get("Location")
			if a := c.patch(at, 5, "?1", forgotten(), "Expect", "100-continue"); a.status != status {
				c.T.Errorf("%d: %d %v", status, a.status, a.header)
			}
			c.Identify.Store(nil)
			if a := c.do("HEAD", at, nil); a.offset() != 9 || a.header.Get("Content-Location") != "" {
				c.T.Errorf("%d, after it: %d %v", status, a.status, a.header)
			}
			c.Check(c.file(c.patch(at, 9, "?1", strings.NewReader("9"))), []byte("0123456789"))
			c.do("DELETE", at, nil)
			a := plain(c.World).do("PUT", c.URL+"/files/a", forgotten(), "Expect", "100-continue")
			if c.Identify.Store(nil); a.status != status {
				c.T.Errorf("a plain upload: %d, want %d", a.status, status)
			}
		}
		c.isEmpty("without rights")
	})
}

// The quota is reserved when an upload begins and while it grows, and charged exactly at its end.
func TestQuota(t *testing.T) {
	eachVersion(t, func(c client) {
		defer func() {
			if err := c.Rows.ClearQuota(context.Background(), 1); err != nil {
				c.T.Fatal(err)
			}
		}()
		use, _, err := c.Rows.Usage(c.T.Context(), 1)
		if err != nil {
			c.T.Fatal(err)
		}
		allow := func(n int64) {
			n += use.Bytes
			if err := c.Rows.SetQuota(c.T.Context(), 1, &n, nil); err != nil {
				c.T.Fatal(err)
			}
		}
		full := func(what string, a answer) {
			c.T.Helper()
			if a.status != http.StatusRequestEntityTooLarge || !bytes.Contains(a.body, []byte("QUOTA_001")) ||
				a.header.Get("Upload-Complete") == "?1" {
				c.T.Errorf("%s: %d %v %s", what, a.status, a.header, a.body)
			}
		}
		allow(12)
		full("a known length", c.post("?0", nil, "Upload-Length", "13"))
		full("a plain upload", plain(c.World).do("PUT", c.URL+"/files/a", strings.NewReader("0123456789abc")))
		at := c.post("?0", []byte("01234")).header.Get("Location")
		full("as it grows", c.patch(at, 5, "?1", uploadtest.Trickle{Reader: strings.NewReader("56789abc"), Piece: 3}))
		allow(20)
		a := c.do("HEAD", at, nil)
		rest := "0123456789abcdef"[a.offset():]
		a = c.patch(at, int(a.offset()), "?1", strings.NewReader(rest))
		c.Check(c.file(a), []byte("0123456789abcdef"))
	})
}

// X-HTTP-Method-Override replaces the method before access is decided.
func TestMethodOverride(t *testing.T) {
	eachVersion(t, func(c client) {
		at := c.post("?0", []byte("01234")).header.Get("Location")
		if a := c.do("POST", at, nil, "X-HTTP-Method-Override", "head"); a.status != http.StatusNoContent || a.offset() != 5 {
			c.T.Errorf("HEAD: %d %v", a.status, a.header)
		}
		c.As(file.Identity{Kind: file.KindUser, UserID: 2, AccountID: 1})
		if a := c.do("POST", at, nil, "X-HTTP-Method-Override", "DELETE"); a.status != http.StatusForbidden {
			c.T.Errorf("DELETE by another user: %d", a.status)
		}
		c.As(uploadtest.Alice)
		a := c.do("POST", at, strings.NewReader("56789"), "X-HTTP-Method-Override", "PATCH", "Upload-Offset", "5",
			"Upload-Complete", "?1", "Content-Type", "application/partial-upload")
		c.Check(c.file(a), []byte("0123456789"))
		if a := c.do("POST", at, nil, "X-HTTP-Method-Override", "DELETE"); a.status != http.StatusNoContent {
			c.T.Errorf("DELETE: %d", a.status)
		}
		if _, err := c.Rows.File(c.T.Context(), uploadtest.ID(at)); !errors.Is(err, file.ErrNotFound) {
			c.T.Errorf("after DELETE: %v", err)
		}
		if a := c.do("GET", c.URL+"/files/tus/", nil, "X-HTTP-Method-Override", "POST", "Upload-Complete", "?1"); a.status !=
			http.StatusMethodNotAllowed {
			c.T.Errorf("GET as POST: %d", a.status)
		}
	})
}
