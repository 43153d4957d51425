package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/test/proxytest"
	"holdfast/internal/test/testproc"
)

// draft speaks the IETF's resumable upload draft in one of its interop versions: 3 is
// draft -01, 6 is -04 and -05.
type draft struct {
	*server
	version string
}

// headers returns the headers of a request; complete says that it has the upload's last bytes.
func (d draft) headers(complete bool, more ...string) []string {
	h := append(more, "Tus-Resumable: -", "Upload-Draft-Interop-Version: "+d.version)
	switch {
	case d.version == "3" && complete:
		return append(h, "Upload-Incomplete: ?0")
	case d.version == "3":
		return append(h, "Upload-Incomplete: ?1")
	case complete:
		return append(h, "Upload-Complete: ?1")
	default:
		return append(h, "Upload-Complete: ?0")
	}
}

// says reads whether the upload is complete from an answer.
func (d draft) says(a answer) string {
	if d.version != "3" {
		return a.header.Get("Upload-Complete")
	}
	switch a.header.Get("Upload-Incomplete") {
	case "?0":
		return "?1"
	case "?1":
		return "?0"
	}
	return ""
}

func (d draft) post(t *testing.T, complete bool, body any, more ...string) answer {
	t.Helper()
	return d.do(t, "POST", "/files/tus/", body, d.headers(complete, more...)...)
}

func (d draft) patch(t *testing.T, at string, offset int, complete bool, body any, more ...string) answer {
	t.Helper()
	return d.do(t, "PATCH", at, body, d.headers(complete, append(more, "Upload-Offset: "+strconv.Itoa(offset),
		"Content-Type: application/partial-upload")...)...)
}

func (d draft) head(t *testing.T, at string) answer {
	t.Helper()
	return d.do(t, "HEAD", at, nil, "Tus-Resumable: -", "Upload-Draft-Interop-Version: "+d.version)
}

func eachDraft(t *testing.T, s *server, scene func(*testing.T, draft)) {
	for _, version := range []string{"3", "4", "5", "6"} {
		t.Run("version "+version, func(t *testing.T) { scene(t, draft{s, version}) })
	}
}

func TestDraft(t *testing.T) {
	t.Parallel()
	s := start(t)
	eachDraft(t, s, func(t *testing.T, d draft) {
		content := random(9*mebi + 5)
		t.Run("all in one request", func(t *testing.T) { d.inOneRequest(t, content) })
		t.Run("in three requests", func(t *testing.T) { d.inThreeRequests(t, content) })
		t.Run("an empty file", func(t *testing.T) {
			if a := d.post(t, true, ""); a.status != 201 || a.header.Get("Content-Location") == "" {
				t.Errorf("%v", a)
			}
		})
		t.Run("completed without another byte", func(t *testing.T) {
			at := d.post(t, false, "abc").header.Get("Location")
			if a := d.patch(t, at, 3, true, ""); a.status/100 != 2 {
				t.Errorf("%v", a)
			}
			s.holds(t, strings.Replace(at, "/tus/", "/", 1), []byte("abc"))
		})
		t.Run("terminated", func(t *testing.T) {
			at := d.post(t, false, "abc").header.Get("Location")
			if a := d.do(t, "DELETE", at, nil, "Tus-Resumable: -", "Upload-Draft-Interop-Version: "+d.version); a.status != 204 {
				t.Errorf("DELETE: %v", a)
			}
			if a := d.head(t, at); a.status != 404 {
				t.Errorf("HEAD after DELETE: %v", a)
			}
		})
	})
}

// inOneRequest uploads a file with a name and a type.
func (d draft) inOneRequest(t *testing.T, content []byte) {
	a := d.post(t, true, content, "Content-Type: text/plain", "Content-Disposition: attachment; filename=a.txt")
	at := a.header.Get("Location")
	url := strings.Replace(at, "/tus/", "/", 1)
	if a.status != 201 || at == "" || a.header.Get("Tus-Resumable") != "" || a.header.Get("Content-Location") != url {
		t.Fatalf("%v", a)
	}
	d.holds(t, url, content)
	if h := d.do(t, "HEAD", url, nil).header; !strings.Contains(h.Get("Content-Disposition"), "a.txt") ||
		!strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
		t.Errorf("name and type: %v", h)
	}
	if a := d.head(t, at); a.status != 204 || a.header.Get("Upload-Offset") != strconv.Itoa(len(content)) ||
		d.says(a) != "?1" {
		t.Errorf("HEAD of a complete one: %v", a)
	}
}

// inThreeRequests uploads a file whose length is known only in the last request.
func (d draft) inThreeRequests(t *testing.T, content []byte) {
	a := d.post(t, false, content[:100])
	at := a.header.Get("Location")
	if a.status != 201 || a.header.Get("Content-Location") != "" {
		t.Fatalf("the first bytes: %v", a)
	}
	if a := d.head(t, at); a.status != 204 || a.header.Get("Upload-Offset") != "100" || d.says(a) != "?0" ||
		a.header.Get("Upload-Limit") == "" {
		t.Errorf("HEAD: %v", a)
	}
	if a := d.patch(t, at, 99, false, content[99:200]); a.status != 409 {
		t.Errorf("PATCH at another offset: %v", a)
	}
	if a := d.patch(t, at, 100, false, &counted{r: bytes.NewReader(content[100 : 9*mebi])}); a.status/100 != 2 ||
		a.header.Get("Content-Location") != "" {
		t.Errorf("PATCH in the middle: %v", a)
	}
	if a := d.patch(t, at, 9*mebi, true, content[9*mebi:]); a.status/100 != 2 {
		t.Errorf("the last PATCH: %v", a)
	}
	d.holds(t, strings.Replace(at, "/tus/", "/", 1), content)
}

// The connection is cut in the middle of the creation. The client knows the URL from the interim answer, and continues
// there.
func TestDraftCut(t *testing.T) {
	t.Parallel()
	s := start(t)
	eachDraft(t, s, func(t *testing.T, d draft) {
		content := random(300000)
		told := make(chan string, 1)
		r, err := http.NewRequest("POST", s.base+"/tus/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range d.headers(true, "Authorization: Bearer "+s.token) {
			if name, value, _ := strings.Cut(h, ": "); value != "-" {
				r.Header.Set(name, value)
			}
		}
		body, send := io.Pipe()
		r.Body, r.ContentLength = body, int64(len(content))
		r = r.WithContext(httptrace.WithClientTrace(t.Context(),
			&httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				if code == 104 {
					told <- h.Get("Location")
				}
				return nil
			}}))
		go func() {
			if res, err := client.Do(r); err == nil {
				res.Body.Close()
			}
		}()
		var at string
		select {
		case at = <-told:
		case <-time.After(patience):
			t.Fatal("no interim answer")
		}
		if _, err := send.Write(content[:200000]); err != nil {
			t.Fatal(err)
		}
		send.CloseWithError(net.ErrClosed)
		var n int
		s.eventually("the upload is there, with what came", func() bool {
			a := d.head(t, at)
			n, _ = strconv.Atoi(a.header.Get("Upload-Offset"))
			return a.status == 204 && d.says(a) == "?0"
		})
		if n > 200000 {
			t.Errorf("the offset is %d, 200000 bytes came", n)
		}
		if a := d.patch(t, at, n, true, content[n:]); a.status/100 != 2 {
			t.Errorf("PATCH: %v", a)
		}
		s.holds(t, strings.Replace(at, "/tus/", "/", 1), content)
	})
}

// Uploads of the drafts have the same size limit and the same access rules.
func TestDraftRefused(t *testing.T) {
	t.Parallel()
	s := start(t, "MAX_FILE_SIZE=1000")
	stranger := "Authorization: Bearer " + s.run("token", "create", "--user", "2", "--account", "1")
	eachDraft(t, s, func(t *testing.T, d draft) {
		at := d.refusesTooLarge(t)
		n, err := strconv.Atoi(d.head(t, at).header.Get("Upload-Offset"))
		if err != nil || n > 1000 {
			t.Fatalf("after all that the offset is %d %v", n, err)
		}
		d.refusesOtherLengths(t)
		path := at[strings.Index(at, "/files/"):]
		speak := "Tus-Resumable: -|Upload-Draft-Interop-Version: " + d.version
		patch := fmt.Sprintf("|Upload-Offset: %d|Content-Type: application/partial-upload", n)
		s.check(t, []line{
			{"HEAD", path, speak + "|" + stranger, "", 403, "", ""},
			{"PATCH", path, speak + "|" + stranger + patch, "x", 403, "FILE_002", ""},
			{"DELETE", path, speak + "|" + stranger, "", 403, "FILE_002", ""},
			{"HEAD", path, speak + "|Authorization: -", "", 401, "", ""},
			{"PATCH", path, speak + "|Authorization: -" + patch, "x", 401, "AUTH_001", ""},
			{"POST", "/files/tus/", speak + "|Authorization: -|Upload-Complete: ?1|Upload-Incomplete: ?0", "x", 401, "AUTH_001",
				""},
			{"HEAD", path, speak, "", 204, "", "Upload-Offset: " + strconv.Itoa(n)},
		})
	})
}

// refusesTooLarge sends more than 1000 bytes in every way, and returns the last upload.
func (d draft) refusesTooLarge(t *testing.T) (at string) {
	t.Helper()
	large := bytes.Repeat([]byte("x"), 1001)
	chunked := func(b []byte) *counted { return &counted{r: bytes.NewReader(b)} }
	tooLarge := func(what string, a answer) {
		t.Helper()
		if a.status != 413 || a.code() != "FILE_003" {
			t.Errorf("%s: %v, want 413", what, a)
		}
		if at := a.header.Get("Location"); at != "" {
			if n, err := strconv.Atoi(d.head(t, at).header.Get("Upload-Offset")); err == nil && n > 1000 {
				t.Errorf("%s: the offset is %d", what, n)
			}
		}
	}
	tooLarge("a creation that declares its length", d.post(t, true, large))
	tooLarge("Upload-Length", d.post(t, false, "x", "Upload-Length: 1001"))
	tooLarge("a creation of unknown length", d.post(t, true, chunked(large)))
	tooLarge("a part of a creation", d.post(t, false, large))
	tooLarge("a part of a creation, chunked", d.post(t, false, chunked(large)))
	begin := func() string { return d.post(t, false, large[:600]).header.Get("Location") }
	at = begin()
	tooLarge("a last part", d.patch(t, at, 600, true, large[:401]))
	tooLarge("a last part, chunked", d.patch(t, at, 600, true, chunked(large[:401])))
	at = begin()
	tooLarge("a part", d.patch(t, at, 600, false, large[:401]))
	tooLarge("a part, chunked", d.patch(t, at, 600, false, chunked(large[:401])))
	return at
}

// refusesOtherLengths completes an upload of 10 bytes with 9 and with 11.
func (d draft) refusesOtherLengths(t *testing.T) {
	t.Helper()
	declared := d.post(t, false, "01234", "Upload-Length: 10").header.Get("Location")
	if a := d.patch(t, declared, 5, true, "5678"); a.status < 400 || a.status >= 500 {
		t.Errorf("complete at 9 of 10: %v", a)
	}
	if a := d.patch(t, declared, 5, true, "567890"); a.status < 400 || a.status >= 500 {
		t.Errorf("complete at 11 of 10: %v", a)
	}
	if a := d.do(t, "GET", strings.Replace(declared, "/tus/", "/", 1), nil); a.status != 404 {
		t.Errorf("it can be read: %v", a)
	}
}

// nginx 1.22 takes the interim answer (104) for the final one, and what follows for its body: the next request on the
// same connection gets no answer. So no 104 may be sent through a proxy.
func TestDraftThroughNginx(t *testing.T) {
	t.Parallel()
	port, err := testproc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, fmt.Sprintf("PUBLIC_URL=http://127.0.0.1:%d/files", port))
	proxytest.Nginx(t, port, s.port)
	front := &server{t: t, base: fmt.Sprintf("http://127.0.0.1:%d/files", port), token: s.token}
	eachDraft(t, front, func(t *testing.T, d draft) {
		content := random(300000)
		a := d.post(t, false, content[:100])
		at := a.header.Get("Location")
		if a.status != 201 || at == "" {
			t.Fatalf("the first bytes: %v", a)
		}
		if a := d.head(t, at); a.status != 204 || a.header.Get("Upload-Offset") != "100" {
			t.Errorf("HEAD: %v", a)
		}
		if a := d.patch(t, at, 100, true, content[100:]); a.status/100 != 2 {
			t.Errorf("PATCH: %v", a)
		}
		front.holds(t, strings.Replace(at, "/tus/", "/", 1), content)
	})
}
