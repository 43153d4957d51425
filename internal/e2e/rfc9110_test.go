package e2e

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/test/s3test"
)

// stored is a file of the table.
type stored struct {
	url     string
	content []byte
	replace *strings.Replacer
}

func (s *server) store(t *testing.T, size int) stored {
	t.Helper()
	f := stored{content: []byte(strings.Repeat("0123456789", size/10+1)[:size])}
	if size > 0 {
		f.url, _ = s.upload(t, f.content, "Upload-Metadata: filename YS50eHQ=,filetype dGV4dC9wbGFpbg==")
	} else {
		f.url = s.do(t, "POST", "/files/tus/", nil, "Upload-Length: 0",
			"Upload-Metadata: filename YS50eHQ=,filetype dGV4dC9wbGFpbg==").header.Get("Content-Location")
	}
	h := s.do(t, "HEAD", f.url, nil).header
	date, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		t.Fatal(err)
	}
	f.replace = strings.NewReplacer("{tag}", h.Get("ETag"), "{date}", date.Format(http.TimeFormat),
		"{before}", date.Add(-time.Second).Format(http.TimeFormat), "{after}", date.Add(time.Second).Format(http.TimeFormat),
		"{850}", date.Format("Monday, 02-Jan-06 15:04:05 GMT"), "{asctime}", date.Format(time.ANSIC))
	return f
}

// ask9110 makes one request of the table and says what is wrong with the answer.
func (s *server) ask9110(f stored, c request) error {
	var headers []string
	if c.headers != "" {
		headers = strings.Split(f.replace.Replace(c.headers), "|")
	}
	got, err := s.ask("GET", f.url, nil, headers...)
	if err != nil {
		return err
	}
	if got.status != c.status {
		return fmt.Errorf("%v, want %d", got, c.status)
	}
	if err := s.likeHead(f, c, headers, got); err != nil {
		return err
	}
	h := got.header
	for _, name := range []string{"Vary", "Cache-Control", "X-Content-Type-Options"} {
		if h.Get(name) == "" {
			return fmt.Errorf("no %s in %v", name, got)
		}
	}
	if length := h.Get("Content-Length"); got.status == 304 && length != "" || got.status != 304 &&
		length != strconv.Itoa(len(got.body)) {
		return fmt.Errorf("Content-Length %q for %d bytes", length, len(got.body)) // 8.6
	}
	switch c.status {
	case 200, 206:
		if h.Get("ETag") == "" || h.Get("Last-Modified") == "" || h.Get("Accept-Ranges") != "bytes" ||
			h.Get("Repr-Digest") == "" {
			return fmt.Errorf("what describes the file is missing: %v", got)
		}
	case 304: // 15.4.5
		if len(got.body) > 0 || h.Get("ETag") == "" || h.Get("Content-Range") != "" {
			return fmt.Errorf("no proper 304: %v", got)
		}
		return nil
	case 416: // 15.5.17
		if want := fmt.Sprintf("bytes */%d", c.size); h.Get("Content-Range") != want || got.code() != "VAL_004" {
			return fmt.Errorf("%v, want Content-Range %q", got, want)
		}
		return nil
	case 412:
		if got.code() != "VAL_007" {
			return fmt.Errorf("%v", got)
		}
		return nil
	}
	return f.holdsRanges(c, got)
}

// likeHead asks for the same with HEAD: the same headers, no body (9.3.2), and no range,
// since that is defined for GET alone (14.2).
func (s *server) likeHead(f stored, c request, headers []string, got answer) error {
	head, err := s.ask("HEAD", f.url, nil, headers...)
	if err != nil {
		return err
	}
	if len(head.body) > 0 {
		return fmt.Errorf("HEAD has a body: %v", head)
	}
	if got.status == 206 || got.status == 416 {
		if head.status != 200 || head.header.Get("Content-Range") != "" ||
			head.header.Get("Content-Length") != strconv.Itoa(c.size) {
			return fmt.Errorf("HEAD looks at the range: %v", head)
		}
		return nil
	}
	a, b := maps.Clone(got.header), maps.Clone(head.header)
	for _, each := range []string{"Date", "X-Request-Id"} { // of the answer, not of the file
		a.Del(each)
		b.Del(each)
	}
	if got.status != head.status || !maps.EqualFunc(a, b, slices.Equal[[]string]) {
		return fmt.Errorf("GET gives %d %v\nHEAD gives %d %v", got.status, a, head.status, b)
	}
	return nil
}

// holdsRanges compares the bytes, and the headers about them.
func (f stored) holdsRanges(c request, got answer) error {
	contentRange := got.header.Get("Content-Range")
	if c.ranges == "" {
		if contentRange != "" || !bytes.Equal(got.body, f.content) {
			return fmt.Errorf("not the whole file: %v", got)
		}
		return nil
	}
	want := strings.Split(c.ranges, ",")
	if len(want) == 1 {
		if contentRange != fmt.Sprintf("bytes %s/%d", want[0], c.size) || !bytes.Equal(got.body, f.bytes(want[0])) {
			return fmt.Errorf("not the range: %v", got)
		}
		return nil
	}
	mediaType, params, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/byteranges" || contentRange != "" {
		return fmt.Errorf("no multipart/byteranges: %v %v", got, err)
	}
	parts := multipart.NewReader(bytes.NewReader(got.body), params["boundary"])
	for _, r := range want {
		part, err := parts.NextRawPart()
		if err != nil {
			return fmt.Errorf("part %s: %w", r, err)
		}
		b, err := io.ReadAll(part)
		if err != nil || part.Header.Get("Content-Range") != fmt.Sprintf("bytes %s/%d", r, c.size) ||
			part.Header.Get("Content-Type") != "text/plain" || !bytes.Equal(b, f.bytes(r)) {
			return fmt.Errorf("part %s: %v %q %v", r, part.Header, b, err)
		}
	}
	if _, err := parts.NextRawPart(); err != io.EOF {
		return fmt.Errorf("after the last part: %v", err)
	}
	return nil
}

// bytes are those that a Content-Range names.
func (f stored) bytes(r string) []byte {
	var first, last int
	fmt.Sscanf(r, "%d-%d", &first, &last)
	return f.content[first : last+1]
}

func TestRFC9110(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { table9110(t, start(t)) })
	t.Run("versitygw", func(t *testing.T) {
		s := start(t, objectStore(s3test.Start(t))...)
		s.token = s.run("token", "create", "--user", "1", "--account", "1")
		table9110(t, s)
	})
}

func table9110(t *testing.T, s *server) {
	files := map[int]stored{}
	for _, size := range []int{0, 1, 10, 100} {
		files[size] = s.store(t, size)
	}
	asked := 0
	for section, cases := range sections {
		for _, c := range cases {
			asked++
			if err := s.ask9110(files[c.size], c); err != nil {
				t.Errorf("%s [%.100s] of %d bytes: %v", section, c.headers, c.size, err)
			}
		}
	}
	for _, c := range preconditions() {
		asked++
		if err := s.ask9110(files[c.size], c); err != nil {
			t.Errorf("13.2.2 [%s]: %v", c.headers, err)
		}
	}
	t.Logf("%d requests, each with GET and HEAD", asked)
}
