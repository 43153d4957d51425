package e2e

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/badline"
	"holdfast/internal/test/s3test"
	"holdfast/storage"
	"holdfast/storage/s3"
)

// behind puts a line that can be spoiled before an S3 server, whose Endpoint it changes.
func behind(t *testing.T, s3 *s3test.Server) *badline.Line {
	t.Helper()
	line := badline.New(t, strings.TrimPrefix(s3.Endpoint, "http://"))
	s3.Endpoint = "http://" + line.Addr()
	return line
}

// metric reads one of the server's metrics that has no labels but those in its name.
func (s *server) metric(name string) float64 {
	s.t.Helper()
	res, err := s.watch("/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	for row := range strings.Lines(string(all)) {
		if value, ok := strings.CutPrefix(row, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return n
		}
	}
	s.t.Fatalf("no metric %s in\n%s", name, all)
	return 0
}

// fetch downloads url, and lets something happen once at bytes have come. The error is
// the one of reading the body.
func (s *server) fetch(t *testing.T, url string, at int64, happen func(), headers ...string) (answer, error) {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header}
	got := sized(res)
	_, err = io.CopyN(got, res.Body, at)
	if err == nil {
		happen()
		_, err = got.ReadFrom(res.Body)
	}
	a.body = got.Bytes()
	return a, err
}

const hundredMB = 100_000_000

// The store breaks off in the middle of 100 MB: what comes is whole and right, or
// visibly broken.
func TestStoreBreaksOff(t *testing.T) {
	server := s3test.Start(t)
	direct := *server
	line := behind(t, server)
	s := start(t, append(objectStore(server), "DOWNLOAD_STORE_TIMEOUT=2s")...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	content := random(hundredMB)
	url, _ := s.upload(t, content)

	const early = 20_000_000
	for _, c := range []struct {
		name    string
		before  func() // the request
		midway  func()
		whole   bool
		resumes float64 // as many at least
	}{
		{"nothing happens", func() {}, func() {}, true, 0},
		{"the connection is closed each 40 MB", func() { line.Spoil(badline.Down, badline.Fault{Limit: 40_000_000}) },
			func() {}, true, 2},
		{"the connection is closed each 10 MB", func() { line.Spoil(badline.Down, badline.Fault{Limit: 10_000_000}) },
			func() {}, false, 3},
		{"the connection is reset", func() {}, func() { line.Spoil(badline.Down, badline.Fault{Reset: true, Once: true}) },
			true, 1},
		{"every connection is reset", func() {}, func() { line.Spoil(badline.Down, badline.Fault{Reset: true}) }, false, 0},
		{"nothing comes for a while", func() {}, func() {
			line.Spoil(badline.Down, badline.Fault{Silence: true, Pause: 300 * time.Millisecond, Once: true})
		}, true, 1},
		{"nothing comes any more", func() {}, func() { line.Spoil(badline.Down, badline.Fault{Silence: true}) }, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer line.Mend()
			resumed, cut := s.metric("holdfast_download_resumes_total"), s.metric(`holdfast_download_aborted_total{by="store"}`)
			anew := s.metric("holdfast_download_reopened_total")
			c.before()
			a, err := s.fetch(t, url, early, c.midway)
			switch {
			case a.status != 200 || a.header.Get("Content-Length") != strconv.Itoa(hundredMB):
				t.Errorf("%d %v", a.status, a.header)
			case c.whole && (err != nil || !bytes.Equal(a.body, content)):
				t.Errorf("%d bytes came, %v", len(a.body), err)
			case !c.whole && (err == nil || !bytes.HasPrefix(content, a.body)):
				t.Errorf("%d bytes came and nobody was told that they are not all, or others", len(a.body))
			}
			// On a busy machine a slow moment may lead to a new connection before the old one breaks.
			n, slow := s.metric("holdfast_download_resumes_total")-resumed, s.metric("holdfast_download_reopened_total")-anew
			if n+slow < c.resumes || n > 3 {
				t.Errorf("%v resumes and %v slow moments, want %v to 3", n, slow, c.resumes)
			}
			if n := s.metric(`holdfast_download_aborted_total{by="store"}`) - cut; (n == 0) != c.whole {
				t.Errorf("%v answers were cut off", n)
			}
		})
	}

	t.Run("several ranges", func(t *testing.T) {
		defer line.Mend()
		line.Spoil(badline.Down, badline.Fault{Limit: 20_000_000})
		a, err := s.fetch(t, url, 0, func() {}, "Range: bytes=0-29999999,50000000-79999999")
		if err != nil || a.status != 206 || !bytes.Contains(a.body, content[:30_000_000]) ||
			!bytes.Contains(a.body, content[50_000_000:80_000_000]) {
			t.Errorf("%d, %d bytes, %v", a.status, len(a.body), err)
		}
	})

	store := s3.New(s3.Options{Endpoint: direct.Endpoint, Region: direct.Region, AccessKey: direct.AccessKey,
		SecretKey: direct.SecretKey})
	defer store.Close()
	at := storage.Layout{BucketPrefix: "pneumatic-dev-test"}.Object(1, file.ID(url[strings.LastIndex(url, "/")+1:]))
	replace := func(b []byte) {
		if _, err := store.Put(t.Context(), at, file.DefaultType, bytes.NewReader(b), int64(len(b))); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("another object of the same length takes its place", func(t *testing.T) {
		defer line.Mend()
		other := bytes.Clone(content)
		for i := range other {
			other[i] ^= 0xff
		}
		a, err := s.fetch(t, url, early,
			func() { replace(other); line.Spoil(badline.Down, badline.Fault{Reset: true, Once: true}) })
		if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(content, a.body) {
			t.Errorf("%d bytes came, of both objects, or without a word: %v", len(a.body), err)
		}
		before := s.metric(`holdfast_download_object_faults_total{fault="changed"}`)
		if a := s.do(t, "GET", url, nil); a.status != 500 || a.code() != "STORAGE_006" {
			t.Errorf("replaced: %v", a)
		}
		if n := s.metric(`holdfast_download_object_faults_total{fault="changed"}`) - before; n != 1 {
			t.Errorf("%v faults are counted", n)
		}
	})
	t.Run("it is shorter", func(t *testing.T) {
		replace(content[:1000])
		for _, headers := range [][]string{{"Range: bytes=5000-"}, {"Range: bytes=500-5000"}, {}} {
			if a := s.do(t, "GET", url, nil, headers...); a.status != 500 || a.code() != "STORAGE_006" {
				t.Errorf("%v: %v", headers, a)
			}
		}
	})
	t.Run("it is missing", func(t *testing.T) {
		if err := store.Delete(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		for _, headers := range [][]string{{"Range: bytes=5-9"}, {"Range: bytes=0-0,5-9"}, {}} {
			if a := s.do(t, "GET", url, nil, headers...); a.status != 404 || a.code() != "STORAGE_005" {
				t.Errorf("%v: %v", headers, a)
			}
		}
		if n := s.metric(`holdfast_download_object_faults_total{fault="missing"}`); n != 3 {
			t.Errorf("%v faults are counted", n)
		}
		if a := s.do(t, "HEAD", url, nil, "If-None-Match: *"); a.status != 304 {
			t.Errorf("a 304 needs no object: %v", a)
		}
	})
}
