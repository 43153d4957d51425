package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"holdfast/internal/test/s3test"
)

// operation is an operation of the document, with a valid request.
type operation struct {
	id, method, path string // {file} and {open} in the path
	headers          []string
	body             any
}

// operations returns all operations that need a token.
func (c *contract) operations(t *testing.T) (all []operation) {
	t.Helper()
	form, multipart := formOf(t, "a.txt", "", []byte("x"))
	bodies := map[string]struct {
		body    any
		headers []string
	}{
		"createUpload":   {nil, []string{"Upload-Length: 5"}},
		"appendUpload":   {"x", []string{octets, "Upload-Offset: 5"}},
		"overrideMethod": {nil, []string{"X-HTTP-Method-Override: DELETE"}},
		"uploadForm":     {form, []string{multipart}},
		"putFile":        {"x", nil},
		"createLink":     {"{}", nil},
		"setGrant":       {`{"access": "private"}`, nil},
	}
	for at, item := range c.doc.Paths.Map() {
		for method, o := range item.Operations() {
			if o.Security == nil || len(*o.Security) == 0 {
				continue
			}
			id := "{file}"
			if at == "/tus/{id}" && o.OperationID != "getUploadedFile" {
				id = "{open}"
			}
			all = append(all, operation{o.OperationID, method, "/files" + strings.Replace(at, "{id}", id, 1),
				bodies[o.OperationID].headers, bodies[o.OperationID].body})
		}
	}
	return all
}

// all sends each operation's request, and expects this status.
func (s *server) all(t *testing.T, want int, who string, names ...string) {
	t.Helper()
	replace := strings.NewReplacer(names...)
	for _, o := range promised.operations(t) {
		if a := s.do(t, o.method, replace.Replace(o.path), o.body, append([]string{who}, o.headers...)...); a.status != want {
			t.Errorf("%s: %v, want %d", o.id, a, want)
		}
	}
}

// After too many wrong tokens from an address, every operation refuses the next one.
func TestEveryOperationIsLimited(t *testing.T) {
	t.Parallel()
	s := start(t, "RATE_LIMIT_ENABLED=on", "RATE_LIMIT_AUTH_FAILURES=1", "RATE_LIMIT_AUTH_WINDOW=24h")
	names := s.fixture(t)
	if a := s.do(t, "GET", "/files/", nil, "Authorization: Bearer no"); a.status != 401 {
		t.Error(a)
	}
	s.all(t, http.StatusTooManyRequests, "Authorization: Bearer no", names...)
}

// While Redis is gone, no operation treats a caller whose token is looked up there as anonymous.
func TestEveryOperationWithoutRedis(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	s := start(t, append(d.tokens(), "AUTH_CACHE_TTL=0")...)
	names := s.fixture(t)
	user := d.user("pn-user", 11, 1)
	d.redis.Stop(t)
	s.all(t, http.StatusServiceUnavailable, user, names...)
	for _, method := range []string{"GET", "HEAD"} {
		if a := s.do(t, method, "/files/readyz", nil); a.status != 503 {
			t.Error(a)
		}
	}
}

// If the backend fails or does not answer, every route to a file says so to callers whose access the backend decides.
func TestEveryWayToAFileWithoutTheBackend(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	s := start(t, append(d.all(), "PERMISSION_CACHE_TTL=0")...)
	id := s.as("owner", d.user("pn-owner", 10, 1)).brings("the owner's")
	colleague := d.user("pn-user", 11, 1)
	for status, fail := range map[int]func(){502: func() { d.answer(500, 0) },
		504: func() { d.answer(204, 11*time.Second) }} {
		fail()
		done := make(chan error)
		ways := [][2]string{{"GET", "/files/" + id}, {"HEAD", "/files/" + id}, {"GET", "/files/tus/" + id},
			{"POST", "/files/" + id + "/links"}}
		for _, way := range ways {
			go func() {
				a, err := s.ask(way[0], way[1], nil, colleague)
				if err == nil && a.status != status {
					err = fmt.Errorf("%v: %v, want %d", way, a, status)
				}
				done <- err
			}()
		}
		for range ways {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
}

// HEAD, and POST with X-HTTP-Method-Override, get the same answers as the method itself.
func TestTwins(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	s := start(t, append(d.tokens(), "FRONTEND_URL=https://app.example.org", "MAX_FILE_SIZE=1000")...)
	names := s.fixture(t)
	form := d.public("abcdefgh", 1)
	const override, browser = "X-HTTP-Method-Override: ", "|Accept: text/html"
	const none = "Authorization: -"
	patch := override + "PATCH|" + octets + "|Upload-Offset: "
	docs := s.do(t, "HEAD", "/files/docs", nil).header.Get("ETag")
	description := s.do(t, "HEAD", "/files/openapi.json", nil).header.Get("ETag")
	s.check(t, []line{
		{"HEAD", "/files/", "", "", 200, "", ""},
		{"HEAD", "/files/?limit=0", "", "", 400, "", ""},
		{"HEAD", "/files/", none, "", 401, "", ""},
		{"GET", "/files/", none + browser, "", 302, "", "Location: https://app.example.org/auth/signin/"},
		{"HEAD", "/files/usage", "", "", 200, "", ""},
		{"HEAD", "/files/usage", none, "", 401, "", ""},
		{"GET", "/files/usage", none + "|" + form, "", 403, "PERM_001", ""},
		{"HEAD", "/files/usage", none + "|" + form, "", 403, "", ""},
		{"GET", "/files/usage", none + browser, "", 302, "", "auth/signin"},
		{"HEAD", "/files/{file}/grants", "", "", 200, "", ""},
		{"HEAD", "/files/{file}/grants", none, "", 401, "", ""},
		{"HEAD", "/files/{file}/grants", none + "|" + form, "", 403, "", ""},
		{"HEAD", "/files/unknown/grants", "", "", 404, "", ""},
		{"GET", "/files/{file}/grants", none + browser, "", 302, "", "auth/signin"},
		{"HEAD", "/files/{file}/links", none + "|" + form, "", 403, "", ""},
		{"GET", "/files/{file}/links", none + browser, "", 302, "", "auth/signin"},
		{"HEAD", "/files/healthz", none, "", 200, "", ""},
		{"HEAD", "/files/readyz", none, "", 200, "", ""},
		{"GET", "/files/docs", "If-None-Match: " + docs, "", 304, "", ""},
		{"HEAD", "/files/docs", "If-None-Match: " + docs, "", 304, "", ""},
		{"HEAD", "/files/openapi.json", "If-None-Match: " + description, "", 304, "", ""},
		{"OPTIONS", "/files/tus/{open}", none, "", 204, "", "Tus-Max-Size: 1000"},
		{"GET", "/files/tus/{file}", "Range: bytes=2-4", "", 206, "", "234"},
		{"GET", "/files/tus/{file}", "If-None-Match: *", "", 304, "", ""},
		{"GET", "/files/tus/{file}", `If-Match: "x"`, "", 412, "VAL_007", ""},
		{"GET", "/files/tus/{file}", "Range: bytes=10-", "", 416, "VAL_004", ""},
		{"POST", "/files/tus/{open}", override + "HEAD", "", 200, "", "Upload-Offset: 5"},
		{"POST", "/files/tus/unknown", override + "HEAD", "", 404, "", ""},
		{"POST", "/files/tus/{open}", patch + "x", "x", 400, "VAL_003", ""},
		{"POST", "/files/tus/{open}", patch + "4", "x", 409, "UPLOAD_001", ""},
		{"POST", "/files/tus/{open}", patch + "5|Tus-Resumable: -", "x", 412, "UPLOAD_003", ""},
		{"POST", "/files/tus/{open}", patch + "5", "012345", 413, "FILE_003", ""},
		{"POST", "/files/tus/{open}", override + "PATCH|Upload-Offset: 5", "x", 415, "VAL_005", ""},
		{"POST", "/files/tus/{open}", patch + "5|Upload-Checksum: crc32 AAAAAA==", "x", 460, "UPLOAD_005", ""},
		{"POST", "/files/tus/{open}", patch + "5|Repr-Digest: sha-256=:" + strings.Repeat("A", 43) + "=:", "56789", 422,
			"UPLOAD_007", ""},
	}, names...)
	at := path.Base(s.create(t, 2))
	s.check(t, []line{{"POST", "/files/tus/" + at, patch + "0", "ab", 204, "", "Upload-Offset: 2"}})
}

// What has expired is gone for every verb.
func TestExpiredForEveryVerb(t *testing.T) {
	t.Parallel()
	s := start(t, "UPLOAD_TTL=1s")
	at := s.create(t, 10)
	s.eventually("it expires", func() bool { return s.do(t, "HEAD", at, nil).status == http.StatusGone })
	for _, c := range [][]string{{"DELETE"}, {"POST", "X-HTTP-Method-Override: DELETE"},
		{"PATCH", octets, "Upload-Offset: 0"}} {
		if a := s.do(t, c[0], at, nil, c[1:]...); a.status != http.StatusGone || a.code() != "UPLOAD_006" {
			t.Errorf("%v: %v", c, a)
		}
	}
}

// If a client stops sending its form, it gets an error that says so.
func TestFormThatStallsIsTold(t *testing.T) {
	t.Parallel()
	s := start(t, "READ_TIMEOUT=1s")
	form, header := formOf(t, "a.txt", "", random(1000))
	body, write := io.Pipe()
	defer write.Close()
	go write.Write(form[:500])
	a, err := s.ask("POST", "/files/upload", struct{ io.Reader }{io.MultiReader(body, bytes.NewReader(form[500:]))},
		header)
	if err != nil || a.status != http.StatusRequestTimeout || a.code() != "UPLOAD_008" {
		t.Errorf("%v %v", a, err)
	}
}

// A request holds an upload and can't release it, because the store does not accept bytes: later requests wait for a
// while, and get 423.
func TestLockedForEveryVerb(t *testing.T) {
	t.Parallel()
	s3 := s3test.Start(t)
	s := start(t, objectStore(s3)...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	content := random(20 * mebi)
	at := s.create(t, len(content))
	stuck := make(chan struct{})
	sent := make(chan answer, 1)
	go func() {
		a, _ := s.ask("PATCH", at, &breaking{bytes.NewReader(content), 9 * mebi, func() { s3.Freeze(); close(stuck) }},
			octets, "Upload-Offset: 0")
		sent <- a
	}()
	<-stuck
	verbs := [][]string{{"HEAD"}, {"DELETE"}, {"PATCH", octets, "Upload-Offset: 0"},
		{"POST", "X-HTTP-Method-Override: DELETE"}}
	done := make(chan error)
	for _, v := range verbs {
		go func() {
			a, err := s.ask(v[0], at, nil, v[1:]...)
			if err == nil && (a.status != http.StatusLocked || v[0] != "HEAD" && a.code() != "UPLOAD_002" ||
				a.header.Get("Retry-After") == "") {
				err = fmt.Errorf("%v: %v", v, a)
			}
			done <- err
		}()
	}
	for range verbs {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	s3.Thaw()
	<-sent
	s.goesOn(t, at, s.offset(t, at), content)
}
