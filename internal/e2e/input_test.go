package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path"
	"strconv"
	"strings"
	"testing"
)

// line is a case: a request and the expected answer. Headers are separated by
// "|". In paths and headers, {open} stands for an upload with 5 of 10 bytes, {file} for a finished
// one. The headers or the body must contain the fragment.
type line struct {
	method, path, headers, body string
	status                      int
	code, fragment              string
}

func (s *server) check(t *testing.T, lines []line, names ...string) {
	t.Helper()
	replace := strings.NewReplacer(names...)
	for _, l := range lines {
		var headers []string
		if l.headers != "" {
			headers = strings.Split(replace.Replace(l.headers), "|")
		}
		a, err := s.ask(l.method, replace.Replace(l.path), l.body, headers...)
		if err != nil {
			t.Errorf("%s %.60s [%.80s]: %v", l.method, l.path, l.headers, err)
			continue
		}
		var all bytes.Buffer
		a.header.Write(&all)
		all.Write(a.body)
		noBody := l.method == "HEAD" || strings.Contains(l.headers, "Override: HEAD")
		if a.status != l.status || !noBody && a.code() != l.code || !strings.Contains(all.String(), l.fragment) {
			t.Errorf("%s %.60s [%.80s]:\n got %v\nwant %d %s %q", l.method, l.path, l.headers, a, l.status, l.code, l.fragment)
		}
	}
}

// fixture makes the upload {open} and the file {file}.
func (s *server) fixture(t *testing.T) []string {
	t.Helper()
	open := s.create(t, 10)
	if a := s.patch(t, open, 0, "01234"); a.status != 204 || a.header.Get("Upload-Offset") != "5" {
		t.Fatalf("first bytes: %v", a)
	}
	_, location := s.upload(t, []byte("0123456789"), "Upload-Metadata: filename w7ZmZi50eHQ=") // öff.txt
	return []string{"{open}", path.Base(open), "{file}", path.Base(location)}
}

func TestIDsThatNameNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	ids := []string{"6ba7b810-9dad-41d1-80b4-00c04fd430c8", "..", "%2e%2e", "a%2fb", "%00", "%ff", "%5c",
		strings.Repeat("x", 600)}
	var lines []line
	for _, id := range ids {
		for _, method := range []string{"GET", "HEAD", "PATCH", "DELETE"} {
			lines = append(lines, line{method, "/files/tus/" + id, octets + "|Upload-Offset: 0", "", 404, "FILE_001", ""})
			if method != "PATCH" {
				lines = append(lines, line{method, "/files/" + id, "", "", 404, "FILE_001", ""})
			}
		}
	}
	s.check(t, lines)
}

func TestWrongRequests(t *testing.T) {
	t.Parallel()
	s := start(t)
	names := s.fixture(t)
	const tus, open = "/files/tus/", "/files/tus/{open}"
	const long = "123456789012345678901234567890"
	big := strings.Repeat("QUFB", 1100)
	s.check(t, []line{
		{"PATCH", open, octets + "|Upload-Offset: 4", "x", 409, "UPLOAD_001", "is at 5"},
		{"PATCH", open, octets + "|Upload-Offset: 6", "x", 409, "UPLOAD_001", "is at 5"},
		{"PATCH", "/files/tus/{file}", octets + "|Upload-Offset: 0", "x", 409, "UPLOAD_001", ""},
		{"PATCH", open, octets + "|Upload-Offset: -5", "x", 400, "VAL_003", "Upload-Offset"},
		{"PATCH", open, octets + "|Upload-Offset: five", "x", 400, "VAL_003", "Upload-Offset"},
		{"PATCH", open, octets + "|Upload-Offset: 5.0", "x", 400, "VAL_003", "Upload-Offset"},
		{"PATCH", open, octets, "x", 400, "VAL_003", "Upload-Offset"},
		{"PATCH", open, octets + "|Upload-Offset: " + long, "x", 400, "VAL_003", "Upload-Offset"},
		{"PATCH", open, octets + "|Upload-Offset: 5|Upload-Offset: 5", "x", 400, "VAL_003", "twice"},
		{"PATCH", open, "Upload-Offset: 5", "x", 415, "VAL_005", "application/offset+octet-stream"},
		{"PATCH", open, "Upload-Offset: 5|Content-Type: text/plain", "x", 415, "VAL_005", ""},
		{"DELETE", "/files/tus/", "Tus-Resumable: -", "", 405, "VAL_006", "Allow: POST, OPTIONS"},
		{"POST", tus, "Upload-Length: -1", "", 400, "VAL_003", "Upload-Length"},
		{"POST", tus, "Upload-Length: +5", "", 400, "VAL_003", "Upload-Length"},
		{"POST", tus, "Upload-Length: 0x10", "", 400, "VAL_003", "Upload-Length"},
		{"POST", tus, "", "", 400, "VAL_003", "Upload-Length"},
		{"POST", tus, "Upload-Length: 5|Upload-Length: 5", "", 400, "VAL_003", "twice"},
		{"POST", tus, "Upload-Length: 104857601", "", 413, "FILE_003",
			"File size 104857601 bytes exceeds limit 104857600 bytes"},
		{"POST", tus, "Upload-Length: " + long, "", 413, "FILE_003", ""},
		{"POST", tus, "Upload-Length: 5|Upload-Defer-Length: 1", "", 400, "VAL_003", "exclude"},
		{"POST", tus, "Upload-Defer-Length: 2", "", 400, "VAL_003", "Upload-Defer-Length"},
		{"POST", tus, "Upload-Length: 5|Upload-Concat: parts", "", 400, "VAL_003", "Upload-Concat"},
		{"POST", tus, "Upload-Length: 5|Upload-Concat: final;/files/tus/x", "", 400, "VAL_003", "Upload-Length"},
		{"POST", tus, "Upload-Concat: final;/files/tus/x", "", 404, "FILE_001", "There is no upload x"},
		{"POST", tus, "Upload-Length: 5|Upload-Checksum: sha9 AAAA", "", 400, "VAL_003", "sha1,sha256,crc32,md5"},
		{"POST", tus, "Upload-Length: 5|Repr-Digest: sha-256=:AAAA:", "", 400, "VAL_003", "32 bytes"},
		{"POST", tus, "Upload-Length: 5|Upload-Metadata: filename " + big, "", 400, "VAL_003", "Upload-Metadata"},
		{"POST", tus, "Upload-Length: 5|Upload-Metadata: filename !!!", "", 400, "VAL_003", "not base64"},
		{"POST", tus, "Upload-Length: 5|Upload-Metadata: name YQ==,name Yg==", "", 400, "VAL_003", "twice"},
		{"PUT", open, "", "", 405, "VAL_006", "Allow: GET, HEAD, PATCH, DELETE, OPTIONS"},
		{"POST", open, "", "", 405, "VAL_006", "Allow: "},
		{"GET", tus, "", "", 405, "VAL_006", "Allow: POST, OPTIONS"},
		{"POST", "/files/{file}", "", "", 405, "VAL_006", "Allow: "},
		{"PATCH", "/files/{file}", "", "", 405, "VAL_006", "Allow: "},
		{"PUT", "/files/", "", "", 405, "VAL_006", "Allow: "},
		{"POST", "/files/{file}", "Origin: http://localhost:" + s.base[17:len(s.base)-6], "", 405, "VAL_006",
			"Access-Control-Allow-Origin: http://localhost:"},
		{"GET", "/files/unknown", "Origin: http://localhost:" + s.base[17:len(s.base)-6], "", 404, "FILE_001",
			"Access-Control-Allow-Origin: http://localhost:"},
		{"GET", "/files/unknown", "Origin: http://localhost:" + s.base[17:len(s.base)-6], "", 404, "FILE_001",
			"Access-Control-Expose-Headers: "},
		{"GET", "/files/?limit=0", "", "", 400, "VAL_003", "limit"},
		{"GET", "/files/?limit=1001", "", "", 400, "VAL_003", "limit"},
		{"GET", "/files/?limit=x", "", "", 400, "VAL_003", "limit"},
		{"GET", "/files/?after=%00", "", "", 400, "VAL_003", "after"},
		{"HEAD", open, "", "", 200, "", "Upload-Offset: 5"}, // none of these requests changed it
	}, names...)
}

func TestTooMuch(t *testing.T) {
	t.Parallel()
	s := start(t, "MAX_FILE_SIZE=1000")
	for name, body := range map[string]any{"with its length": strings.Repeat("x", 11),
		"chunked": &counted{r: strings.NewReader(strings.Repeat("x", 11))}} {
		at := s.create(t, 10)
		if a := s.patch(t, at, 0, body); a.status != 413 || a.code() != "FILE_003" {
			t.Errorf("a body that is too long, %s: %v", name, a)
		}
		if n := s.offset(t, at); n != 0 {
			t.Errorf("a body that is too long, %s: the offset is %d", name, n)
		}
		a := s.patch(t, at, 0, "0123456789")
		if a.status != 204 {
			t.Errorf("the right bytes after it: %v", a)
		}
		s.holds(t, a.header.Get("Content-Location"), []byte("0123456789"))
	}
	deferred := func() string {
		return s.do(t, "POST", "/files/tus/", nil, "Upload-Defer-Length: 1").header.Get("Location")
	}
	at := deferred()
	if a := s.patch(t, at, 0, "0123456789"); a.status != 204 {
		t.Fatalf("deferred: %v", a)
	}
	if a := s.patch(t, at, 10, "", "Upload-Length: 1001"); a.status != 413 || a.code() != "FILE_003" {
		t.Errorf("declared over the cap: %v", a)
	}
	if a := s.patch(t, at, 10, "", "Upload-Length: 5"); a.status != 400 || a.code() != "VAL_003" {
		t.Errorf("declared below the offset: %v", a)
	}
	if a := s.patch(t, at, 10, strings.Repeat("x", 991)); a.status != 413 || a.code() != "FILE_003" {
		t.Errorf("bytes beyond the cap: %v", a)
	}
	if n := s.offset(t, at); n < 10 || n > 1000 {
		t.Errorf("after bytes beyond the cap the offset is %d", n)
	} else if a := s.patch(t, at, n, "ab", "Upload-Length: "+strconv.Itoa(n+2)); a.status != 204 ||
		a.header.Get("Content-Location") == "" {
		t.Errorf("declared at last: %v", a)
	}
}

// Requests without a valid token get 401, and those of another user 403. Deleted files and uploads are 404.
func TestWho(t *testing.T) {
	t.Parallel()
	s := start(t)
	names := s.fixture(t)
	other := "Authorization: Bearer " + s.run("token", "create", "--user", "2", "--account", "1")
	revoked := "Authorization: Bearer " + s.run("token", "create", "--user", "1", "--account", "1", "--name", "gone")
	expired := "Authorization: Bearer " + s.run("token", "create", "--user", "1", "--account", "1", "--ttl", "1ns")
	for row := range strings.Lines(s.run("token", "list")) {
		if f := strings.Fields(row); f[1] == "gone" {
			s.run("token", "revoke", f[0])
		}
	}
	for _, header := range []string{"Authorization: -", "Authorization: Bearer hf_x", "Authorization: Basic eDp5", revoked,
		expired} {
		s.check(t, unauthenticated(header), names...)
	}
	s.check(t, onlyReads("Authorization: -|Cookie: token="+s.token), names...)
	s.check(t, forbidden(other), names...)
	s.check(t, []line{
		{"GET", "/files/", other, "", 200, "", `"files":[]`},
		{"HEAD", "/files/tus/{open}", "", "", 200, "", "Upload-Offset: 5"},
		{"DELETE", "/files/tus/{open}", "", "", 204, "", ""},
		{"DELETE", "/files/{file}", "", "", 204, "", ""},
	}, names...)
	for _, id := range []string{"{open}", "{file}"} {
		s.check(t, deleted(id), names...)
	}
}

// unauthenticated are requests that get 401, whether or not the file exists.
func unauthenticated(header string) []line {
	return []line{
		{"GET", "/files/{file}", header, "", 401, "AUTH_001", "Www-Authenticate: Bearer"},
		{"GET", "/files/", header, "", 401, "AUTH_001", ""},
		{"DELETE", "/files/{file}", header, "", 401, "AUTH_001", ""},
		{"HEAD", "/files/tus/{open}", header, "", 401, "", ""},
		{"PATCH", "/files/tus/{open}", header + "|" + octets + "|Upload-Offset: 5", "x", 401, "AUTH_001", ""},
		{"DELETE", "/files/tus/{open}", header, "", 401, "AUTH_001", ""},
		{"POST", "/files/tus/", header + "|Upload-Length: 1", "", 401, "AUTH_001", ""},
	}
}

// onlyReads are requests with a cookie, which is only valid for reading.
func onlyReads(cookie string) []line {
	return []line{
		{"POST", "/files/tus/", cookie + "|Upload-Length: 1", "", 401, "AUTH_001", ""},
		{"PATCH", "/files/tus/{open}", cookie + "|" + octets + "|Upload-Offset: 5", "x", 401, "AUTH_001", ""},
		{"DELETE", "/files/tus/{open}", cookie, "", 401, "AUTH_001", ""},
		{"DELETE", "/files/{file}", cookie, "", 401, "AUTH_001", ""},
		{"POST", "/files/tus/{file}", cookie + "|X-HTTP-Method-Override: DELETE", "", 401, "AUTH_001", ""},
		{"GET", "/files/{file}", cookie, "", 200, "", "0123456789"},
		{"HEAD", "/files/{file}", cookie, "", 200, "", ""},
	}
}

// forbidden are requests of another user, for the file and for the uploads.
func forbidden(other string) []line {
	lines := []line{
		{"GET", "/files/{file}", other, "", 403, "FILE_002", "User 2 has no access"},
		{"HEAD", "/files/{file}", other, "", 403, "", ""},
		{"DELETE", "/files/{file}", other, "", 403, "FILE_002", ""},
		{"GET", "/files/tus/{file}", other, "", 403, "FILE_002", ""},
	}
	for _, at := range []string{"/files/tus/{open}", "/files/tus/{file}"} {
		patch := other + "|" + octets + "|Upload-Offset: 5"
		lines = append(lines,
			line{"HEAD", at, other, "", 403, "", ""},
			line{"PATCH", at, patch, "x", 403, "FILE_002", ""},
			line{"DELETE", at, other, "", 403, "FILE_002", ""},
			line{"POST", at, patch + "|X-HTTP-Method-Override: PATCH", "x", 403, "FILE_002", ""},
			line{"POST", at, other + "|X-HTTP-Method-Override: DELETE", "", 403, "FILE_002", ""},
			line{"POST", at, other + "|X-HTTP-Method-Override: delete", "", 403, "FILE_002", ""},
			line{"POST", at, other + "|X-HTTP-Method-Override: HEAD", "", 403, "", ""})
	}
	return lines
}

// deleted are requests of the owner for a file or an upload that was deleted.
func deleted(id string) []line {
	return []line{
		{"GET", "/files/" + id, "", "", 404, "FILE_001", ""},
		{"HEAD", "/files/" + id, "", "", 404, "", ""},
		{"DELETE", "/files/" + id, "", "", 404, "FILE_001", ""},
		{"GET", "/files/tus/" + id, "", "", 404, "FILE_001", ""},
		{"HEAD", "/files/tus/" + id, "", "", 404, "", ""},
		{"PATCH", "/files/tus/" + id, octets + "|Upload-Offset: 5", "x", 404, "FILE_001", ""},
		{"DELETE", "/files/tus/" + id, "", "", 404, "FILE_001", ""},
	}
}

func TestDownload(t *testing.T) {
	t.Parallel()
	s := start(t)
	names := s.fixture(t)
	const file = "/files/{file}"
	tag := `"` + digest([]byte("0123456789")) + `"`
	s.check(t, []line{
		{"GET", file, "", "", 200, "", "Etag: " + tag},
		{"GET", file, "", "", 200, "", "X-Content-Type-Options: nosniff"},
		{"GET", file, "", "", 200, "", `Content-Disposition: attachment; filename="off.txt"; filename*=utf-8''%C3%B6ff.txt`},
		{"GET", file, "Range: bytes=2-4", "", 206, "", "Content-Range: bytes 2-4/10"},
		{"GET", file, "Range: bytes=2-4", "", 206, "", "\r\n234"},
		{"GET", file, "Range: bytes=-3", "", 206, "", "789"},
		{"GET", file, "Range: bytes=10-", "", 416, "VAL_004", "Content-Range: bytes */10"},
		{"GET", file, "Range: bytes=2-4|If-Range: " + tag, "", 206, "", "234"},
		{"GET", file, `Range: bytes=2-4|If-Range: "other"`, "", 200, "", "0123456789"},
		{"GET", file, "If-None-Match: " + tag, "", 304, "", ""},
		{"GET", file, `If-Match: "other"`, "", 412, "VAL_007", "Etag: " + tag},
		{"HEAD", file, "", "", 200, "", "Content-Length: 10"},
		{"GET", "/files/tus/{file}", "", "", 200, "", "0123456789"},
		{"GET", "/files/tus/{open}", "", "", 404, "FILE_001", ""},
		{"GET", "/files/{open}", "", "", 404, "FILE_001", ""},
		{"GET", "/{file}", "", "", 200, "", "0123456789"},
		{"GET", "/files/?limit=1", "", "", 200, "", `"name":"öff.txt","size":10`},
		{"GET", "/files/?limit=1", "", "", 200, "", `"next":null`},
	}, names...)

	empty := s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 0", "Upload-Metadata: flag,filename YS50eHQ=")
	if empty.status != http.StatusCreated || empty.header.Get("Content-Location") == "" {
		t.Fatalf("an empty file: %v", empty)
	}
	s.holds(t, empty.header.Get("Content-Location"), nil)
	if got := s.do(t, "HEAD", empty.header.Get("Location"),
		nil).header.Get("Upload-Metadata"); got != "flag,filename YS50eHQ=" {
		t.Errorf("Upload-Metadata is %q", got)
	}
	var page struct{ Next string }
	if err := json.Unmarshal(s.do(t, "GET", "/files/?limit=1", nil).body, &page); err != nil || page.Next == "" {
		t.Fatalf("%v, next is %q", err, page.Next)
	}
	s.check(t, []line{
		{"GET", "/files/?limit=1", "", "", 200, "", `"name":"a.txt","size":0`},
		{"GET", "/files/?after=" + page.Next, "", "", 200, "", `"name":"öff.txt"`},
		{"GET", "/files/?after=" + path.Base(empty.header.Get("Location")), "", "", 200, "", `"name":"öff.txt"`},
	})
}

// The media type of a PATCH is compared without regard to case and parameters (RFC 9110, 8.3.1).
func TestMediaTypeOfPatch(t *testing.T) {
	t.Parallel()
	s := start(t)
	open := s.create(t, 3)
	s.check(t, []line{
		{"PATCH", open, "Upload-Offset: 0|Content-Type: Application/Offset+Octet-Stream", "x", 204, "", ""},
		{"PATCH", open, "Upload-Offset: 1|" + octets + "; charset=utf-8", "y", 204, "", ""},
		{"PATCH", open, "Upload-Offset: 2|" + octets + "x", "z", 415, "VAL_005", ""},
	})
}

// A misspelled parameter of the list is refused: ignored, it would give the first page again and again.
func TestUnknownParametersOfTheList(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.check(t, []line{
		{"GET", "/files/?limt=1", "", "", 400, "VAL_003", "limit and after"},
		{"GET", "/files/?limit=1&cursor=x", "", "", 400, "VAL_003", "limit and after"},
		{"GET", "/files/?Limit=1", "", "", 400, "VAL_003", "limit and after"},
		{"GET", "/files/?limit%20=1", "", "", 400, "VAL_003", "limit and after"},
		{"GET", "/files/?=1", "", "", 400, "VAL_003", "limit and after"},
		{"GET", "/files/?limit=1&limit=2", "", "", 400, "VAL_003", "2 times"},
		{"GET", "/files/?limit=%zz", "", "", 400, "VAL_003", "query"},
		{"GET", "/files/?limit=1;after=x", "", "", 400, "VAL_003", "query"},
		{"HEAD", "/files/?", "", "", 200, "", ""},
	})
}
