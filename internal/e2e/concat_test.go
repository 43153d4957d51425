package e2e

import (
	"bytes"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// partial makes a partial upload (tus 1.0.0, Concatenation) with all its bytes, and returns its URL.
func (s *server) partial(t *testing.T, content []byte) string {
	t.Helper()
	at := s.create(t, len(content), "Upload-Concat: partial")
	if len(content) == 0 {
		return at
	}
	a := s.patch(t, at, 0, content)
	if a.status != 204 || a.header.Get("Content-Location") != "" {
		t.Fatalf("partial upload: %v; it is no file", a)
	}
	return at
}

// final creates a final upload from partial ones.
func (s *server) final(t *testing.T, partials ...string) answer {
	t.Helper()
	return s.do(t, "POST", "/files/tus/", nil, "Upload-Concat: final;"+strings.Join(partials, " "),
		"Upload-Metadata: filename YS5iaW4=")
}

// Files made of several partial uploads: large ones, whose bytes the store copies, small ones, empty ones and ones of
// a single byte. They are uploaded in another order than they are concatenated.
func TestConcatenation(t *testing.T) {
	t.Parallel()
	s := start(t)
	if offered := s.do(t, "OPTIONS", "/files/tus/", nil).header.Get("Tus-Extension"); !strings.Contains(","+offered+",",
		",concatenation,") {
		t.Errorf("Tus-Extension lacks concatenation: %q", offered)
	}
	for name, contents := range map[string][][]byte{
		"large":         {random(6 * mebi), random(11*mebi + 1), random(5*mebi + 2)},
		"small":         {random(300000), random(1), nil, random(70000)},
		"mixed":         {random(9 * mebi), random(20), random(6*mebi + 3)},
		"one":           {random(1000)},
		"of few bytes":  {nil, nil, random(1)},
		"of no byte":    {nil, nil},
		"a thousand KB": {random(500001), random(499999)},
	} {
		t.Run(name, func(t *testing.T) {
			urls := make([]string, len(contents))
			for i := len(contents) - 1; i >= 0; i-- {
				urls[i] = s.partial(t, contents[i])
			}
			for i, content := range contents {
				s.isPartial(t, urls[i], len(content))
			}
			s.putsTogether(t, urls, bytes.Join(contents, nil))
		})
	}
}

// isPartial checks a complete partial upload: it is not a file, and can't be downloaded.
func (s *server) isPartial(t *testing.T, at string, size int) {
	t.Helper()
	if a := s.do(t, "HEAD", at, nil); a.status != 200 || a.header.Get("Upload-Concat") != "partial" ||
		a.header.Get("Upload-Offset") != strconv.Itoa(size) {
		t.Errorf("HEAD of a partial upload: %v", a)
	}
	for _, url := range []string{at, strings.Replace(at, "/tus/", "/", 1)} {
		if a := s.do(t, "GET", url, nil); a.status != 404 {
			t.Errorf("GET of a partial upload: %v", a)
		}
	}
}

// putsTogether makes one file of partial uploads, repeats the request as after a lost answer, and deletes the file.
func (s *server) putsTogether(t *testing.T, urls []string, all []byte) {
	t.Helper()
	before := len(s.list(t))
	a := s.final(t, urls...)
	at, url := a.header.Get("Location"), a.header.Get("Content-Location")
	if a.status != 201 || at == "" || url != strings.Replace(at, "/tus/", "/", 1) {
		t.Fatalf("final upload: %v", a)
	}
	s.holds(t, url, all)
	size := strconv.Itoa(len(all))
	head := s.do(t, "HEAD", at, nil)
	for header, want := range map[string]string{"Upload-Concat": "final;" + strings.Join(urls, " "),
		"Upload-Length": size, "Upload-Offset": size, "Upload-Metadata": "filename YS5iaW4="} {
		if got := head.header.Get(header); head.status != 200 || got != want {
			t.Errorf("HEAD of a final upload: %s is %q, want %q", header, got, want)
		}
	}
	listed := s.list(t)
	if listed[url] != `"`+digest(all)+`"` || len(listed) != before+1 {
		t.Errorf("%d files more are listed; the ETag is %s", len(listed)-before, listed[url])
	}
	for _, url := range urls {
		if a := s.do(t, "HEAD", url, nil); a.status != 404 {
			t.Errorf("HEAD of a partial upload that was used: %v", a)
		}
	}
	if again := s.final(t, urls...); again.status != 201 || again.header.Get("Location") != at ||
		again.header.Get("Content-Location") != url {
		t.Errorf("the same again: %v, want %s", again, at)
	}
	if n := len(s.list(t)); n != len(listed) {
		t.Errorf("after the same again %d files more are listed", n-len(listed))
	}
	path := at[strings.Index(at, "/files/"):]
	s.check(t, []line{
		{"PATCH", path, octets + "|Upload-Offset: 0", "x", 403, "PERM_001", ""},
		{"PATCH", path, octets + "|Upload-Offset: " + size, "x", 403, "PERM_001", ""},
		{"DELETE", path, "", "", 204, "", ""},
		{"GET", url[strings.Index(url, "/files/"):], "", "", 404, "FILE_001", ""},
	})
	if again := s.final(t, urls...); again.status != 404 {
		t.Errorf("once more, after the file was deleted: %v", again)
	}
}

// Partial uploads may also be named by a path alone, or by a URL with another host name.
func TestConcatenationByPath(t *testing.T) {
	t.Parallel()
	s := start(t)
	one, two, three := s.partial(t, []byte("one,")), s.partial(t, []byte("two,")), s.partial(t, []byte("three"))
	a := s.final(t, one, two[strings.Index(two, "/files/"):],
		"https://files.example.com"+three[strings.Index(three, "/files/"):])
	if a.status != 201 {
		t.Fatalf("final upload: %v", a)
	}
	s.holds(t, a.header.Get("Content-Location"), []byte("one,two,three"))
}

// hidesUsedPart checks that a partial upload that was concatenated is 404 for another caller, whatever the method.
func (s *server) hidesUsedPart(t *testing.T, part, stranger string) {
	t.Helper()
	for _, method := range []string{"HEAD", "PATCH", "DELETE"} {
		if a := s.do(t, method, part, nil, stranger, octets, "Upload-Offset: 0"); a.status != 404 {
			t.Errorf("%s of another's part that was used up: %v", method, a)
		}
	}
}

// pieces are uploads that can, or can't, be put together.
type pieces struct {
	half, other, small   string // complete partial uploads of 600, 500 and 3 bytes
	unfinished, deferred string // partial uploads without all bytes, and without a length
	plain, final         string // no partial uploads
	foreign              string // the stranger's partial upload
}

func (s *server) pieces(t *testing.T, stranger string) (p pieces) {
	t.Helper()
	p.half, p.other = s.partial(t, bytes.Repeat([]byte("h"), 600)), s.partial(t, bytes.Repeat([]byte("o"), 500))
	p.small = s.partial(t, []byte("abc"))
	p.unfinished = s.create(t, 10, "Upload-Concat: partial")
	if a := s.patch(t, p.unfinished, 0, "01234"); a.status != 204 {
		t.Fatalf("unfinished: %v", a)
	}
	_, p.plain = s.upload(t, []byte("0123456789"))
	p.deferred = s.do(t, "POST", "/files/tus/", nil, "Upload-Defer-Length: 1",
		"Upload-Concat: partial").header.Get("Location")
	if a := s.patch(t, p.deferred, 0, "0123"); a.status != 204 {
		t.Fatalf("deferred: %v", a)
	}
	p.foreign = s.do(t, "POST", "/files/tus/", "secret", "Upload-Length: 6", "Upload-Concat: partial", octets,
		stranger).header.Get("Location")
	if p.foreign == "" {
		t.Fatal("the other user has no partial upload")
	}
	final := s.final(t, s.partial(t, []byte("done")))
	if final.status != 201 {
		t.Fatalf("final: %v", final)
	}
	p.final = final.header.Get("Location")
	return p
}

func concat(urls ...string) string { return "Upload-Concat: final;" + strings.Join(urls, " ") }

// A final upload that is refused changes nothing: each partial upload can still be used.
func TestConcatenationRefused(t *testing.T) {
	t.Parallel()
	s := start(t, "MAX_FILE_SIZE=1000")
	stranger := "Authorization: Bearer " + s.run("token", "create", "--user", "2", "--account", "1")
	p := s.pieces(t, stranger)
	before := len(s.list(t))
	unknown := strings.Replace(p.small, path.Base(p.small), "6ba7b810-9dad-41d1-80b4-00c04fd430c8", 1)
	const tus = "/files/tus/"
	s.check(t, []line{
		{"POST", tus, concat(p.half, p.other), "", 413, "FILE_003", "1100"},
		{"POST", tus, concat(p.small, p.unfinished), "", 400, "VAL_003", path.Base(p.unfinished)},
		{"POST", tus, concat(p.small, p.deferred), "", 400, "VAL_003", path.Base(p.deferred)},
		{"POST", tus, concat(p.small, p.plain), "", 400, "VAL_003", path.Base(p.plain)},
		{"POST", tus, concat(p.small, p.final), "", 400, "VAL_003", ""},
		{"POST", tus, concat(p.small, p.small), "", 400, "VAL_003", "twice"},
		{"POST", tus, concat(p.small, unknown), "", 404, "FILE_001", ""},
		{"POST", tus, concat(), "", 400, "VAL_003", "Upload-Concat"},
		{"POST", tus, concat("https://example.com/elsewhere/" + path.Base(p.small)), "", 400, "VAL_003", "Upload-Concat"},
		{"POST", tus, concat(p.small) + "|Upload-Concat: partial", "", 400, "VAL_003", "Upload-Concat"},
		{"POST", tus, concat(p.small) + "|Upload-Length: 3", "", 400, "VAL_003", "Upload-Length"},
		{"POST", tus, concat(p.small) + "|" + octets, "abc", 403, "PERM_001", ""},
		{"POST", tus, "Upload-Length: 1001|Upload-Concat: partial", "", 413, "FILE_003", ""},
		{"POST", tus, "Upload-Length: 3|Upload-Concat: Partial", "", 400, "VAL_003", "Upload-Concat"},
		// Another user's: refused, without telling anything about it.
		{"POST", tus, concat(p.foreign), "", 403, "FILE_002", ""},
		{"POST", tus, concat(p.small, p.foreign), "", 403, "FILE_002", ""},
		{"POST", tus, concat(p.small, p.half) + "|" + stranger, "", 403, "FILE_002", ""},
		{"HEAD", p.foreign[strings.Index(p.foreign, "/files/"):], "", "", 403, "", ""},
		{"POST", tus, concat(p.small) + "|Authorization: -", "", 401, "AUTH_001", ""},
	})
	if n := len(s.list(t)); n != before {
		t.Errorf("%d files more are listed", n-before)
	}
	s.canStillBeUsed(t, p, stranger)
}

// canStillBeUsed completes all pieces and concatenates them.
func (s *server) canStillBeUsed(t *testing.T, p pieces, stranger string) {
	t.Helper()
	if a := s.patch(t, p.unfinished, 5, "56789"); a.status != 204 {
		t.Errorf("the unfinished one goes on: %v", a)
	}
	if a := s.patch(t, p.deferred, 4, "", "Upload-Length: 4"); a.status != 204 {
		t.Errorf("the deferred one is declared: %v", a)
	}
	a := s.final(t, p.half, p.small, p.unfinished, p.deferred)
	if a.status != 201 {
		t.Fatalf("final upload: %v", a)
	}
	s.holds(t, a.header.Get("Content-Location"), []byte(strings.Repeat("h", 600)+"abc"+"0123456789"+"0123"))
	s.check(t, []line{{"POST", "/files/tus/", concat(p.small, p.other), "", 404, "FILE_001",
		path.Base(p.small)}}) // used up
	s.hidesUsedPart(t, p.small, stranger)
	s.token = strings.TrimPrefix(stranger, "Authorization: Bearer ")
	if a = s.final(t, p.foreign); a.status != 201 {
		t.Fatalf("the other user's own: %v", a)
	}
	s.holds(t, a.header.Get("Content-Location"), []byte("secret"))
}

// A client lost the answer and repeats the request at both replicas, at the same time: it gets one file.
func TestConcatenationAtBothReplicas(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	for _, contents := range [][][]byte{{random(6 * mebi), random(5 * mebi)}, {random(300000), random(200000)},
		{random(10), random(20)}} {
		urls := []string{p.a.partial(t, contents[0]), p.b.partial(t, contents[1])}
		answers := make([]answer, 6)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() {
				s := []*server{p.a, p.b}[i%2]
				for { // in use by the other replica: the client retries
					var err error
					answers[i], err = s.ask("POST", "/files/tus/", nil, "Upload-Concat: final;"+strings.Join(urls, " "))
					if err != nil {
						t.Error(err)
					}
					if answers[i].status != 423 || t.Failed() {
						return
					}
				}
			})
		}
		wg.Wait()
		id := func(a answer) string { return path.Base(a.header.Get("Content-Location")) }
		for _, a := range answers {
			// Without PUBLIC_URL each replica gives URLs of its own; the file is the same.
			if a.status != 201 || id(a) != id(answers[0]) {
				t.Errorf("final upload: %v, want the file of %v", a, answers[0])
			}
		}
		p.b.holds(t, "/files/"+id(answers[0]), append(contents[0], contents[1]...))
	}
	if n := p.number(t, `select count(*) from files`); n != 3 {
		t.Errorf("%d files, want 3", n)
	}
	p.a.eventually("the partial uploads are gone",
		func() bool { return p.number(t, `select count(*) from uploads where partial and emptied is null`) == 0 })
}
