package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"holdfast/internal/test/s3test"
)

// impostor is a proxy in front of an S3 server that answers requests itself if answer returns true.
type impostor struct {
	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request) bool
	copies int // requests for copies of parts
}

// impersonate puts an impostor before an S3 server, whose Endpoint it changes.
func impersonate(t *testing.T, s3 *s3test.Server) *impostor {
	t.Helper()
	target, err := url.Parse(s3.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host // Host stays as it was signed
	}}
	i := &impostor{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		answer := i.answer
		if isPartCopy(r) {
			i.copies++
		}
		i.mu.Unlock()
		if answer == nil || !answer(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	s3.Endpoint = server.URL
	return i
}

func isPartCopy(r *http.Request) bool {
	return r.Header.Get("X-Amz-Copy-Source") != "" && strings.Contains(r.URL.RawQuery, "partNumber")
}

// answers sets f as the source of answers; nil: the store answers.
func (i *impostor) answers(f func(w http.ResponseWriter, r *http.Request) bool) (copies int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	copies, i.copies, i.answer = i.copies, 0, f
	return copies
}

// A web server in place of the store has none of the requested pages. The service is not ready, and its clients get
// errors that say it is unavailable: 404 and 410 would tell them that their uploads are gone.
func TestAWebServerInPlaceOfTheStore(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	store := impersonate(t, server)
	s := start(t, objectStore(server)...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	content := random(6*mebi + 100)
	at := s.create(t, len(content))
	if a := s.patch(t, at, 0, content[:100]); a.status != 204 {
		t.Fatal(a)
	}
	file, whole := s.upload(t, []byte("a file that is there"))
	parts := []string{s.partial(t, random(6*mebi)), s.partial(t, random(100))}
	for name, body := range map[string]string{"text": "404 page not found\n", "a page": "<html><p>none</html>",
		"nothing": ""} {
		store.answers(func(w http.ResponseWriter, r *http.Request) bool {
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusNotFound)
			if r.Method != http.MethodHead {
				io.WriteString(w, body)
			}
			return true
		})
		s.eventually("/readyz is 503", func() bool { return s.do(t, "GET", "/readyz", nil).status == 503 })
		for what, a := range map[string]answer{
			"PATCH":          s.patch(t, at, 100, content[100:]),
			"POST":           s.do(t, "POST", "/files/tus/", "some bytes", "Upload-Length: 10", octets),
			"a final":        s.final(t, parts...),
			"a download":     s.do(t, "GET", file, nil),
			"a tus HEAD":     s.do(t, "HEAD", at, nil),
			"HEAD when done": s.do(t, "HEAD", whole, nil),
		} {
			if a.status == 404 || a.status == 410 || a.status/100 == 2 && !strings.Contains(what, "HEAD") {
				t.Errorf("%s: %s: %v", name, what, a)
			}
		}
	}
	store.answers(nil)
	s.eventually("/readyz is 200", func() bool { return s.do(t, "GET", "/readyz", nil).status == 200 })
	offset := s.offset(t, at)
	if offset < 100 {
		t.Errorf("offset %d", offset)
	}
	if a := s.patch(t, at, offset, content[offset:]); a.status != 204 {
		t.Fatalf("when the store is back: %v", a)
	} else {
		s.holds(t, a.header.Get("Content-Location"), content)
	}
	if a := s.final(t, parts...); a.status != 201 {
		t.Errorf("a final upload when the store is back: %v", a)
	}
}

// Stores that do not copy parts refuse in many ways. A final upload is then read and written, and the store is not
// asked for copies again.
func TestConcatenationWithoutCopies(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(w http.ResponseWriter){
		"411": func(w http.ResponseWriter) { w.WriteHeader(http.StatusLengthRequired) },
		"400 with a code": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, "<Error><Code>UnsupportedOperation</Code></Error>")
		},
		"200 for a part without bytes": func(w http.ResponseWriter) {
			w.Header().Set("ETag",
				`"d41d8cd98f00b204e9800998ecf8427e"`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := s3test.Start(t)
			store := impersonate(t, server)
			s := start(t, objectStore(server)...)
			s.token = s.run("token", "create", "--user", "1", "--account", "1")
			store.answers(func(w http.ResponseWriter, r *http.Request) bool {
				if isPartCopy(r) {
					refuse(w)
					return true
				}
				return false
			})
			for time, most := range []int{1, 0} { // one request at the first time, none after it
				one, two := random(6*mebi), random(5*mebi+1)
				a := s.final(t, s.partial(t, one), s.partial(t, two))
				if a.status != 201 {
					t.Fatalf("time %d: %v", time+1, a)
				}
				s.holds(t, a.header.Get("Content-Location"), append(one, two...))
				if n := store.answers(store.answer); n > most {
					t.Errorf("time %d: %d requests for copies", time+1, n)
				}
			}
		})
	}
}
