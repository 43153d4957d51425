package s3

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/s3test"
	"holdfast/storage"
)

// Stores that do not copy refuse in many ways. In each case the bytes are read and written instead, and the store is
// not asked again if the refusal was not about this one part.
func TestNoCopy(t *testing.T) {
	s := s3test.Start(t)
	p := newFaultyProxy(t, s, false)
	at := file.Location{Bucket: "copy-1", Key: "k"}
	empty := func(p *faultyProxy, w http.ResponseWriter, r *http.Request) { w.Header().Set("ETag", `"e"`) }
	for _, c := range []struct {
		name    string
		answer  fault
		refused bool // ErrNoCopy
		always  bool // it is not asked again
	}{
		{"501 NotImplemented", answers(501, "NotImplemented"), true, true},
		{"501", answers(501, ""), true, true},
		{"405 MethodNotAllowed", answers(405, "MethodNotAllowed"), true, true},
		{"400 NotImplemented", answers(400, "NotImplemented"), true, true},
		{"411 MissingContentLength", answers(411, "MissingContentLength"), true, true},
		{"411", answers(411, ""), true, true},
		{"400 InvalidRequest", answers(400, "InvalidRequest"), true, true},
		{"a part without bytes", empty, true, true},
		{"400 InvalidRange", answers(400, "InvalidRange"), true, false},
		{"403 AccessDenied", answers(403, "AccessDenied"), true, false},
		{"404 of a web server", answers(404, ""), true, false},
		{"404 NoSuchUpload", answers(404, "NoSuchUpload"), false, false},
		{"404 NoSuchKey", answers(404, "NoSuchKey"), false, false},
		{"412 PreconditionFailed", answers(412, "PreconditionFailed"), false, false},
		{"500 InternalError", answers(500, "InternalError"), false, false},
		{"503 SlowDown", answers(503, "SlowDown"), false, false},
		{"400 RequestTimeout", answers(400, "RequestTimeout"), false, false},
	} {
		client := p.client(t, s)
		for name, copy := range map[string]func() error{
			"part": func() error {
				_, err := client.CopyPart(t.Context(), at, "", 0, storage.MinCopy, at, file.Multipart{ID: "u"}, 1)
				return err
			},
			"object": func() error {
				return client.Copy(t.Context(), at, `"e"`, file.Location{Bucket: "copy-1", Key: "l"}, "x/y")
			},
		} {
			client.buckets.Store(at.Bucket, true)
			for try := range 2 {
				p.harm("PUT", "", 100, c.answer)
				err := copy()
				asked := len(p.requests())
				if errors.Is(err, storage.ErrNoCopy) != c.refused || err == nil {
					t.Errorf("%s, %s: %v", c.name, name, err)
				}
				if c.refused && (!errors.Is(err, file.ErrUnavailable) || errors.Is(err, file.ErrNotFound)) {
					t.Errorf("%s, %s: %v is no fault of the store", c.name, name, err)
				}
				if want := try == 0 || !c.always; (asked > 0) != want || c.refused && asked > 1 {
					t.Errorf("%s, %s, time %d: asked %d times", c.name, name, try+1, asked)
				}
			}
		}
		p.harm("", "", 0, nil)
	}
}

// A refusal expires: the store may have been replaced by then.
func TestRefusalIsForgotten(t *testing.T) {
	var r refusal
	if r.stands() {
		t.Error("it stands before there was one")
	}
	if r.note(refusalTTL); !r.stands() {
		t.Error("it does not stand")
	}
	if r.note(-time.Second); r.stands() {
		t.Error("it stands for ever")
	}
	if never := (&refusal{known: true}); !never.stands() {
		t.Error("what is known of the kind of store does not stand")
	}
	c := New(Options{Endpoint: "http://127.0.0.1:1", Quirks: Quirks{NoPartCopy: true, NoObjectCopy: true}})
	defer c.Close()
	at := file.Location{Bucket: "b", Key: "k"}
	_, err := c.CopyPart(t.Context(), at, "", 0, 1, at, file.Multipart{ID: "u"}, 1)
	if err2 := c.Copy(t.Context(), at, "", at, ""); !errors.Is(err, storage.ErrNoCopy) ||
		!errors.Is(err2, storage.ErrNoCopy) {
		t.Errorf("a store that is known not to copy: %v, %v", err, err2)
	}
}

// A store of which nothing is known is asked whether it takes parts of different sizes before it copies the first one.
func TestMixedParts(t *testing.T) {
	s := s3test.Start(t)
	for _, c := range []struct {
		name   string
		answer fault // to the completion of the upload with which it is asked
		copies bool
		again  bool // it is asked again after a while
	}{
		{name: "it takes them", copies: true},
		{name: "400 InvalidPart", answer: answers(400, "InvalidPart")},
		{name: "500 InternalError", answer: answers(500, "InternalError"), again: true},
		{name: "403 AccessDenied", answer: answers(403, "AccessDenied"), again: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newFaultyProxy(t, s, false)
			client := p.client(t, s, func(o *Options) { o.Quirks.AskPartSizes = true })
			from, to := file.Location{Bucket: "mixed-1", Key: "from"}, file.Location{Bucket: "mixed-1", Key: "to"}
			etag, err := client.Put(t.Context(), from, "x/y", io.NewSectionReader(zeros{}, 0, storage.MinCopy),
				storage.MinCopy)
			if err != nil {
				t.Fatal(err)
			}
			m, err := client.BeginMultipart(t.Context(), to, "x/y", true)
			if err != nil {
				t.Fatal(err)
			}
			for try := range 2 {
				if p.harm("", "", 0, nil); c.answer != nil {
					p.harm("POST", "uploadId", 100, c.answer)
				}
				_, err = client.CopyPart(t.Context(), from, etag, 0, storage.MinCopy, to, m, 1)
				if c.copies != (err == nil) || !c.copies && !errors.Is(err, storage.ErrNoCopy) {
					t.Errorf("time %d: %v", try+1, err)
				}
				if client.mixing.unclear.stands() != c.again {
					t.Errorf("time %d: the answer is unclear: %v", try+1, !c.again)
				}
				client.mixing.unclear.until.Store(nil)
				asked := probes(t, p, to.Key)
				if (asked > 0) != (try == 0 || c.again) {
					t.Errorf("time %d: asked %d times", try+1, asked)
				}
			}
			p.harm("", "", 0, nil)
			list, err := client.List(t.Context(), "mixed-1", "", "")
			if err != nil || len(list) != 1 {
				t.Errorf("left in the bucket: %+v, %v", list, err)
			}
			if err := client.Delete(t.Context(), from); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// probes counts the requests to multipart uploads that a proxy has seen. Each must be to a probe, or the sweep does not
// find what is left of it if the process is killed. other are keys of those that are none.
func probes(t *testing.T, p *faultyProxy, other ...string) (n int) {
	t.Helper()
	for _, r := range p.requests() {
		_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if r.Method != "POST" || slices.Contains(other, key) {
			continue
		}
		if n++; !storage.IsProbe(key) {
			t.Errorf("%s %s is no probe", r.Method, r.URL)
		}
	}
	return n
}
