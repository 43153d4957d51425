package e2e

import (
	"bytes"
	"io"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"holdfast/internal/test/s3test"
)

var partNumber = regexp.MustCompile(`<PartNumber>(\d+)</PartNumber>`)

// equalParts keeps to the rule of Cloudflare R2: all parts of a multipart upload but the last have one size, and the
// last none above it.
type equalParts struct {
	mu        sync.Mutex
	sizes     map[string]int64 // by upload and number
	completed int
	refused   int
}

// answer refuses to complete an upload against the rule; false: the store answers.
func (e *equalParts) answer(w http.ResponseWriter, r *http.Request) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	q := r.URL.Query()
	id, number := q.Get("uploadId"), q.Get("partNumber")
	switch {
	case r.Method == "PUT" && number != "":
		size := r.ContentLength
		if n, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64); err == nil {
			size = n
		}
		if _, span, copied := strings.Cut(r.Header.Get("X-Amz-Copy-Source-Range"), "="); copied {
			from, to, _ := strings.Cut(span, "-")
			a, _ := strconv.ParseInt(from, 10, 64)
			b, _ := strconv.ParseInt(to, 10, 64)
			size = b - a + 1
		}
		e.sizes[id+" "+number] = size
	case r.Method == "POST" && id != "":
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return false
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		e.completed++
		var sizes []int64
		for _, n := range partNumber.FindAllStringSubmatch(string(body), -1) {
			sizes = append(sizes, e.sizes[id+" "+n[1]])
		}
		for i, size := range sizes {
			if size > sizes[0] || size < sizes[0] && i < len(sizes)-1 {
				e.refused++
				w.WriteHeader(http.StatusBadRequest)
				io.WriteString(w, "<Error><Code>InvalidPart</Code><Message>All non-trailing parts must have the same length."+
					"</Message></Error>")
				return true
			}
		}
	}
	return false
}

// With S3_KIND=r2, and where nothing is known of the store, uploads of all kinds keep to R2's rule; final uploads are
// read and cut anew.
func TestEqualParts(t *testing.T) {
	t.Parallel()
	for kind, refused := range map[string]int{"r2": 0, "": 1} {
		t.Run("S3_KIND="+kind, func(t *testing.T) { equalPartsAre(t, kind, refused) })
	}
}

// equalPartsAre tests a store of a kind. refused counts the uploads with which the service finds the rule out.
func equalPartsAre(t *testing.T, kind string, refused int) {
	server := s3test.Start(t)
	store, rule := impersonate(t, server), &equalParts{sizes: map[string]int64{}}
	store.answers(rule.answer)
	s := start(t, append(objectStore(server), "S3_KIND="+kind)...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	content := random(30*mebi + 12345)
	url, _ := s.upload(t, content)
	s.holds(t, url, content)
	for name, chunk := range map[string]int{"odd chunks": 7*mebi + 3, "chunks of 5 MiB": 5 * mebi,
		"large chunks": 13 * mebi} {
		at := s.create(t, len(content))
		for from := 0; from < len(content); from += chunk {
			if a := s.patch(t, at, from, content[from:min(from+chunk, len(content))]); a.status != 204 {
				t.Fatalf("%s: %v", name, a)
			}
		}
		s.holds(t, "/files/"+path.Base(at), content)
	}
	for _, chunk := range []int{3 * mebi, 7*mebi + 3, 13 * mebi} {
		at := s.do(t, "POST", "/files/tus/", nil, "Upload-Defer-Length: 1").header.Get("Location")
		for from := 0; from < len(content); from += chunk {
			to := min(from+chunk, len(content))
			var length []string
			if to == len(content) {
				length = []string{"Upload-Length: " + strconv.Itoa(to)}
			}
			if a := s.patch(t, at, from, content[from:to], length...); a.status != 204 {
				t.Fatalf("deferred length, chunks of %d: %v", chunk, a)
			}
		}
		s.holds(t, "/files/"+path.Base(at), content)
	}
	for _, sizes := range [][]int{{7*mebi + 1, 12 * mebi, 6*mebi + 7, len(content)}, {9 * mebi, len(content)}} {
		var partials []string
		for from := 0; len(sizes) > 0; sizes = sizes[1:] {
			to := min(from+sizes[0], len(content))
			partials, from = append(partials, s.partial(t, content[from:to])), to
		}
		a := s.final(t, partials...)
		if a.status != 201 {
			t.Fatalf("the final upload: %v", a)
		}
		s.holds(t, "/files/"+path.Base(a.header.Get("Location")), content)
	}
	rule.mu.Lock()
	defer rule.mu.Unlock()
	if rule.refused != refused || rule.completed < 8 {
		t.Errorf("%d uploads were completed, %d refused", rule.completed, rule.refused)
	}
}
