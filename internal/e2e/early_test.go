package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"holdfast/limit"
)

// sendHead sends the head of a request and the first bytes of its body.
func (s *server) sendHead(t *testing.T, head []string, sent string) *bufio.Reader {
	t.Helper()
	return bufio.NewReader(s.dial(t, fmt.Sprintf("%s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s", head[0],
		strings.Join(head[1:], "\r\n"), sent)))
}

// An answer that does not need the rest of the body is sent at once, to a client that sends no more of it.
func TestAnswersThatNeedNoBody(t *testing.T) {
	t.Parallel()
	s := start(t, "MAX_FILE_SIZE=1000000")
	token := "Authorization: Bearer " + s.token
	at := s.create(t, 1000000)
	path := at[strings.Index(at, "/files/"):]
	const large = "Content-Length: 900000"
	for name, c := range map[string]struct {
		head []string
		want int
	}{
		"a form without a token": {[]string{"POST /files/upload", "Content-Type: multipart/form-data; boundary=b", large},
			401},
		"a form over the cap": {[]string{"POST /files/upload", "Content-Type: multipart/form-data; boundary=b", token,
			"Content-Length: 90000000"}, 413},
		"an upload over the cap": {[]string{"POST /files/tus/", "Tus-Resumable: 1.0.0", octets, "Upload-Length: 90000000",
			token, large}, 413},
		"another offset": {[]string{"PATCH " + path, "Tus-Resumable: 1.0.0", octets, "Upload-Offset: 7", token,
			large}, 409},
		"more than is left": {[]string{"PATCH " + path, "Tus-Resumable: 1.0.0", octets, "Upload-Offset: 0", token,
			"Content-Length: 1000001"}, 413},
		"bytes without a token": {[]string{"PATCH " + path, "Tus-Resumable: 1.0.0", octets, "Upload-Offset: 0", large}, 401},
		"encoded bytes": {[]string{"PATCH " + path, "Tus-Resumable: 1.0.0", octets, "Upload-Offset: 0", token,
			"Content-Encoding: gzip", large}, 415},
		"no such address": {[]string{"PUT /nothing/here", token, large}, 404},
		"a wrong method":  {[]string{"PUT /files/tus/", token, large}, 405},
	} {
		in := s.sendHead(t, c.head, "x")
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode != c.want || !res.Close {
			t.Errorf("%s: %v %v, want %d and the end of the connection", name, res, err, c.want)
		}
	}

	// A request whose upload another request takes over.
	in := s.sendHead(t, []string{"PATCH " + path, "Tus-Resumable: 1.0.0", octets, "Upload-Offset: 0", token,
		"Content-Length: 1000000", "Expect: 100-continue"}, "")
	if said, err := in.ReadString('\n'); err != nil || !strings.Contains(said, "100 Continue") { // the body is being read
		t.Fatalf("%q %v", said, err)
	}
	in.ReadString('\n')
	if a := s.do(t, "HEAD", at, nil); a.status != 200 {
		t.Errorf("HEAD: %v", a)
	}
	if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != 409 || !res.Close {
		t.Errorf("the PATCH before: %v %v", res, err)
	}
}

// Bytes that the service can't use are refused, not dropped: for a complete upload, with a Content-Encoding, and in an
// unknown version of the draft.
func TestWhatAnUploadDoesNotTake(t *testing.T) {
	t.Parallel()
	s := start(t)
	content := []byte("0123456789")
	at, file := s.create(t, len(content)), ""
	if a := s.patch(t, at, 0, content); a.status != 204 {
		t.Fatal(a)
	} else {
		file = a.header.Get("Content-Location")
	}
	part := s.partial(t, content)
	for _, done := range []string{at, part} {
		for _, c := range []struct {
			offset int
			body   any
			want   int
		}{{10, "more", 413}, {10, struct{ io.Reader }{strings.NewReader("more")}, 413}, {0, content, 409}, {11, "more", 409},
			{10, nil, 204}, {10, struct{ io.Reader }{strings.NewReader("")}, 204}} {
			if a := s.patch(t, done, c.offset, c.body); a.status != c.want {
				t.Errorf("PATCH at %d of %v: %v, want %d", c.offset, c.body, a, c.want)
			}
		}
	}
	s.holds(t, file, content)
	for name, a := range map[string]answer{
		"creation": s.do(t, "POST", "/files/tus/", "x", octets, "Upload-Length: 1", "Content-Encoding: gzip"),
		"PATCH":    s.patch(t, s.create(t, 1), 0, "x", "Content-Encoding: br"),
		"a form": s.do(t, "POST", "/files/upload", "x", "Content-Type: multipart/form-data; boundary=b",
			"Content-Encoding: gzip", "Tus-Resumable: -"),
	} {
		if a.status != 415 || a.header.Get("Accept-Encoding") != "identity" {
			t.Errorf("encoded %s: %v", name, a)
		}
	}
	for _, version := range []string{"11", "2", "x"} {
		a := s.do(t, "POST", "/files/tus/", "x", "Tus-Resumable: -", "Upload-Draft-Interop-Version: "+version,
			"Upload-Complete: ?1")
		if a.status != 412 || !strings.Contains(string(a.body), "3, 4, 5, 6, 7, 8, 9, 10") ||
			a.header.Get("Tus-Version") != "1.0.0" {
			t.Errorf("version %s: %v", version, a)
		}
	}
}

// Interim answers are sent only to clients that can tell them from final ones, and not through proxies.
func TestInterimAnswers(t *testing.T) {
	t.Parallel()
	s := start(t)
	for header, interim := range map[string]bool{"X-Other: 1": true, "Connection: close": false, "Via: 1.1 x": false,
		"X-Forwarded-For: 192.0.2.1": false} {
		in := s.sendHead(t, []string{"POST /files/tus/", "Authorization: Bearer " + s.token,
			"Upload-Draft-Interop-Version: 6",
			"Upload-Complete: ?1", "Content-Length: 5", header}, "hello")
		if line, err := in.ReadString('\n'); err != nil || strings.Contains(line, " 104 ") != interim || !interim &&
			!strings.Contains(line, " 201 ") {
			t.Errorf("%s: %q %v", header, line, err)
		}
	}
}

// Each answer to a creation contains the upload's URL.
func TestOffsetOfACreation(t *testing.T) {
	t.Parallel()
	s := start(t)
	parts := []string{s.partial(t, []byte("one,")), s.partial(t, []byte("two"))}
	for want, a := range map[string]answer{
		"0": s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 9"),
		"3": s.do(t, "POST", "/files/tus/", "abc", octets, "Upload-Length: 9"),
		"7": s.final(t, parts...),
		"5": s.do(t, "POST", "/files/tus/", "abcde", "Tus-Resumable: -", "Upload-Draft-Interop-Version: 6",
			"Upload-Complete: ?1"),
	} {
		if got := a.header.Get("Upload-Offset"); a.status != 201 || got != want {
			t.Errorf("%v: the offset is %q, want %s", a, got, want)
		}
	}
}

// A client that gives up terminates every upload that it knows, including partial ones that have become a file.
func TestEndOfPartsThatWereUsed(t *testing.T) {
	t.Parallel()
	s := start(t)
	parts := []string{s.partial(t, []byte("one,")), s.partial(t, []byte("two"))}
	a := s.final(t, parts...)
	file := a.header.Get("Content-Location")
	stranger := "Authorization: Bearer " + s.run("token", "create", "--user", "2", "--account", "1")
	for _, part := range parts {
		for range 2 {
			if a := s.do(t, "DELETE", part, nil); a.status != 204 {
				t.Errorf("DELETE of a part: %v", a)
			}
		}
		if a := s.do(t, "DELETE", part, nil, stranger); a.status != 404 {
			t.Errorf("DELETE of another one's part: %v", a)
		}
		if a := s.do(t, "HEAD", part, nil); a.status != 404 {
			t.Errorf("HEAD of a part: %v", a)
		}
	}
	s.holds(t, file, []byte("one,two"))
	if a := s.do(t, "DELETE", a.header.Get("Location"), nil); a.status != 204 {
		t.Errorf("DELETE of the file: %v", a)
	}
	if a := s.do(t, "GET", file, nil); a.status != 404 {
		t.Errorf("the file: %v", a)
	}
}

// Conditions apply to DELETE of an upload's URL as to DELETE of its file's.
func TestDeleteOfAnUploadUnderConditions(t *testing.T) {
	t.Parallel()
	s := start(t)
	at := s.create(t, 3)
	if a := s.do(t, "DELETE", at, nil, `If-Match: "x"`); a.status != 412 {
		t.Errorf("of what is no file yet: %v", a)
	}
	a := s.patch(t, at, 0, "abc")
	file := a.header.Get("Content-Location")
	tag := s.do(t, "HEAD", file, nil).header.Get("Etag")
	for _, condition := range []string{`If-Match: "x"`, "If-Match: ", "If-None-Match: *", "If-None-Match: " + tag,
		"If-Unmodified-Since: Thu, 01 Jan 2015 00:00:00 GMT"} {
		for _, url := range []string{at, file} {
			if a := s.do(t, "DELETE", url, nil, condition); a.status != 412 {
				t.Errorf("%s of %s: %v", condition, url, a)
			}
		}
	}
	if a := s.do(t, "DELETE", at, nil, "If-Match: "+tag); a.status != 204 {
		t.Errorf("the right tag: %v", a)
	}
}

// For the rate limit a final upload and its parts are one upload, and parts have a limit of their own.
func TestRateLimitOfParts(t *testing.T) {
	t.Parallel()
	s := start(t, "RATE_LIMIT_ENABLED=on", "RATE_LIMIT_UPLOAD_REQUESTS=2", "RATE_LIMIT_UPLOAD_WINDOW=3h")
	for range 2 {
		if a := s.final(t, s.partial(t, []byte("a")), s.partial(t, []byte("b")), s.partial(t, []byte("c"))); a.status != 201 {
			t.Errorf("%v", a)
		}
	}
	one := s.partial(t, []byte("d"))
	if a := s.final(t, one); a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("the third file: %v", a)
	}
	if a := s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 1"); a.status != 429 {
		t.Errorf("the third file: %v", a)
	}
	for n := 7; ; n++ {
		if a := s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 1", "Upload-Concat: partial"); a.status == 429 {
			if n != 2*limit.PartsPerUpload {
				t.Errorf("refused after %d parts", n)
			}
			return
		} else if a.status != 201 || n > 100 {
			t.Fatalf("part %d: %v", n, a)
		}
	}
}

// If a late length is shorter than the body that comes with it, neither is accepted; and a request with a wrong
// checksum can be repeated unchanged.
func TestLengthDeclaredWithABadBody(t *testing.T) {
	t.Parallel()
	s := start(t)
	begin := func() string {
		return s.do(t, "POST", "/files/tus/", nil, "Upload-Defer-Length: 1").header.Get("Location")
	}
	at := begin()
	if a := s.patch(t, at, 0, "abcdef", "Upload-Length: 4"); a.status != 413 {
		t.Errorf("a longer body: %v", a)
	}
	if a := s.patch(t, at, 0, "abcdef", "Upload-Length: 6"); a.status != 204 {
		t.Errorf("the right length then: %v", a)
	}
	at = begin()
	const sum = "Upload-Checksum: sha1 hvfkN/qlp/zhXR3cuerq6jd2Z7g=" // of "a"
	if a := s.patch(t, at, 0, "b", "Upload-Length: 1", sum); a.status != 460 {
		t.Errorf("damaged bytes: %v", a)
	}
	if a := s.patch(t, at, 0, "a", "Upload-Length: 1", sum); a.status != 204 {
		t.Errorf("the same again: %v", a)
	}
}
