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

// behind puts a line with faults before an S3 server, whose Endpoint it changes.
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

// fetch downloads url, and calls happen once at bytes have come. The error is that of reading the body.
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

// The store breaks off in the middle of 100 MB: the answer is complete and correct, or visibly broken.
func TestStoreBreaksOff(t *testing.T) {
	server := s3test.Start(t)
	direct := *server
	line := behind(t, server)
	s := start(t, append(objectStore(server), "DOWNLOAD_STORE_TIMEOUT=2s")...)
	s.token = s.run("token", "create", "--user", "1", "--account", "1")
	content := random(hundredMB)
	url, _ := s.upload(t, content)
	d := interrupted{s, line, url, content}

	for _, c := range []interruption{
		{"nothing happens", nil, nil, true, 0},
		{"the connection is closed each 40 MB", &badline.Fault{Limit: 40_000_000}, nil, true, 2},
		{"the connection is closed each 10 MB", &badline.Fault{Limit: 10_000_000}, nil, false, 3},
		{"the connection is reset", nil, &badline.Fault{Reset: true, Once: true}, true, 1},
		{"every connection is reset", nil, &badline.Fault{Reset: true}, false, 0},
		{"nothing comes for a while", nil,
			&badline.Fault{Silence: true, Pause: 300 * time.Millisecond, Once: true}, true, 1},
		{"nothing comes any more", nil, &badline.Fault{Silence: true}, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) { d.meets(t, c) })
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
	d.objectChanges(t, &direct)
}

// interrupted is a download of 100 MB over a line to the store that can have faults.
type interrupted struct {
	*server
	line    *badline.Line
	url     string
	content []byte
}

const early = 20_000_000

// interruption is what happens to the line to the store while a file is downloaded.
type interruption struct {
	name          string
	always, later *badline.Fault // from the beginning, and from 20 MB on
	whole         bool           // the file is complete
	resumes       float64        // how many requests to the store are resumed, at least
}

// meets downloads during an interruption. The file is complete, or is visibly cut off.
func (d interrupted) meets(t *testing.T, c interruption) {
	t.Helper()
	defer d.line.Mend()
	spoil := func(f *badline.Fault) {
		if f != nil {
			d.line.Spoil(badline.Down, *f)
		}
	}
	resumed, cut := d.metric("holdfast_download_resumes_total"), d.metric(`holdfast_download_aborted_total{by="store"}`)
	anew := d.metric("holdfast_download_reopened_total")
	spoil(c.always)
	a, err := d.fetch(t, d.url, early, func() { spoil(c.later) })
	switch {
	case a.status != 200 || a.header.Get("Content-Length") != strconv.Itoa(hundredMB):
		t.Errorf("%d %v", a.status, a.header)
	case c.whole && (err != nil || !bytes.Equal(a.body, d.content)):
		t.Errorf("%d bytes came, %v", len(a.body), err)
	case !c.whole && (err == nil || !bytes.HasPrefix(d.content, a.body)):
		t.Errorf("%d bytes came without an error, or others", len(a.body))
	}
	// On a busy machine a slow moment may lead to a new connection before the old one breaks.
	n, slow := d.metric("holdfast_download_resumes_total")-resumed, d.metric("holdfast_download_reopened_total")-anew
	if n+slow < c.resumes || n > 3 {
		t.Errorf("%v resumes and %v slow moments, want %v to 3", n, slow, c.resumes)
	}
	if n := d.metric(`holdfast_download_aborted_total{by="store"}`) - cut; (n == 0) != c.whole {
		t.Errorf("%v answers were cut off", n)
	}
}

// objectChanges replaces the object during a download, then by a shorter one, and then deletes it.
func (d interrupted) objectChanges(t *testing.T, direct *s3test.Server) {
	t.Helper()
	store := s3.New(s3.Options{Endpoint: direct.Endpoint, Region: direct.Region, AccessKey: direct.AccessKey,
		SecretKey: direct.SecretKey})
	defer store.Close()
	at := storage.Layout{BucketPrefix: "pneumatic-dev-test"}.Object(1, file.ID(d.url[strings.LastIndex(d.url, "/")+1:]))
	replace := func(b []byte) {
		if _, err := store.Put(t.Context(), at, file.DefaultType, bytes.NewReader(b), int64(len(b))); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(t *testing.T, status int, code string, requests ...[]string) {
		t.Helper()
		for _, headers := range requests {
			if a := d.do(t, "GET", d.url, nil, headers...); a.status != status || a.code() != code {
				t.Errorf("%v: %v, want %d %s", headers, a, status, code)
			}
		}
	}
	t.Run("another object of the same length takes its place", func(t *testing.T) {
		defer d.line.Mend()
		other := bytes.Clone(d.content)
		for i := range other {
			other[i] ^= 0xff
		}
		a, err := d.fetch(t, d.url, early,
			func() { replace(other); d.line.Spoil(badline.Down, badline.Fault{Reset: true, Once: true}) })
		if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(d.content, a.body) {
			t.Errorf("%d bytes came, of both objects, or without an error: %v", len(a.body), err)
		}
		before := d.metric(`holdfast_download_object_faults_total{fault="changed"}`)
		refused(t, 500, "STORAGE_006", nil)
		if n := d.metric(`holdfast_download_object_faults_total{fault="changed"}`) - before; n != 1 {
			t.Errorf("%v faults are counted", n)
		}
	})
	t.Run("it is shorter", func(t *testing.T) {
		replace(d.content[:1000])
		refused(t, 500, "STORAGE_006", []string{"Range: bytes=5000-"}, []string{"Range: bytes=500-5000"}, nil)
	})
	t.Run("it is missing", func(t *testing.T) {
		if err := store.Delete(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		refused(t, 404, "STORAGE_005", []string{"Range: bytes=5-9"}, []string{"Range: bytes=0-0,5-9"}, nil)
		if n := d.metric(`holdfast_download_object_faults_total{fault="missing"}`); n != 3 {
			t.Errorf("%v faults are counted", n)
		}
		if a := d.do(t, "HEAD", d.url, nil, "If-None-Match: *"); a.status != 304 {
			t.Errorf("a 304 needs no object: %v", a)
		}
	})
}
