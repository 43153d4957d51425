package s3

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/file"
	"holdfast/internal/test/s3test"
	"holdfast/storage"
)

// everything answers all requests alike, like a server that is not a store.
func everything(status int, body string) fault {
	return func(p *faultyProxy, w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			w.Write([]byte(body))
		}
	}
}

// A server that is not a store is detected, and its answers about objects and uploads are not believed: its 404 does
// not mean that an object is gone.
func TestAServerThatIsNoStore(t *testing.T) {
	s := s3test.Start(t)
	p := newFaultyProxy(t, s, false)
	c := p.client(t, s)
	at := file.Location{Bucket: "none-1", Key: "k"}
	c.buckets.Store(at.Bucket, true)
	one := func() *bytes.Reader { return bytes.NewReader([]byte("x")) }
	page := "<!DOCTYPE html><html><head><title>404</title></head><body>Not <b>here</body></html>"
	for name, answer := range map[string]fault{
		"404":                  everything(404, ""),
		"404 page not found":   everything(404, "404 page not found\n"),
		"404, a page":          everything(404, page),
		"404, XHTML":           everything(404, "<html><body>none</body></html>"),
		"404, JSON":            everything(404, `{"detail":"Not Found"}`),
		"403, a page":          everything(403, page),
		"405":                  everything(405, ""),
		"400":                  everything(400, ""),
		"200":                  everything(200, ""),
		"200, a page":          everything(200, page),
		"404 with another XML": everything(404, "<Error><Kind>none</Kind></Error>"),
	} {
		for _, method := range []string{"GET", "PUT", "POST", "DELETE", "HEAD"} {
			p.harm(method, "", 100, answer)
			if method == "GET" {
				if err := c.Ping(t.Context(), at.Bucket); !errors.Is(err, file.ErrStorageRead) {
					t.Errorf("%s counts as a store: %v", name, err)
				}
			}
			for call, err := range map[string]error{
				"GET Open":        second(c.Open(t.Context(), at, "", 0, 1)),
				"GET Read":        second(c.Read(t.Context(), at, "", 0, 1)),
				"GET Read, empty": second(c.Read(t.Context(), at, "", 0, 0)),
				"PUT Put":         second(c.Put(t.Context(), at, "x/y", one(), 1)),
				"PUT PutPart":     second(c.PutPart(t.Context(), at, file.Multipart{ID: "u"}, 1, one(), 1)),
				"PUT CopyPart":    second(c.CopyPart(t.Context(), at, "", 0, 1, at, file.Multipart{ID: "u"}, 1)),
				"POST Begin":      second(c.BeginMultipart(t.Context(), at, "x/y", false)),
				"POST Complete":   c.Complete(t.Context(), at, file.Multipart{ID: "u"}, []file.Part{{Number: 1, ETag: "e"}}),
				"DELETE Delete":   c.Delete(t.Context(), at),
				"DELETE Abort":    c.Abort(t.Context(), at, "u"),
			} {
				if call[:len(method)] != method || name[:3] == "200" && call != "POST Begin" {
					continue
				}
				if err == nil || errors.Is(err, file.ErrNotFound) || errors.Is(err, storage.ErrNoUpload) ||
					!errors.Is(err, file.ErrUnavailable) {
					t.Errorf("%s: %s: %v", name, call, err)
				}
			}
		}
		if name[:3] != "200" {
			p.harm("", "", 100, answer)
			p.harmAll(true)
			noAnswers(t, c, at, name)
			p.harmAll(false)
		}
	}
}

// noAnswers checks the calls for which a server that is not a store has no answer.
func noAnswers(t *testing.T, c *Client, at file.Location, name string) {
	t.Helper()
	if _, err := c.Stat(t.Context(), at); !errors.Is(err, file.ErrStorageRead) || errors.Is(err, file.ErrNotFound) {
		t.Errorf("%s: Stat: %v", name, err)
	}
	if _, err := c.List(t.Context(), at.Bucket, "", ""); !errors.Is(err, file.ErrStorageRead) {
		t.Errorf("%s: List: %v", name, err)
	}
	if _, err := c.Leftovers(t.Context(), at.Bucket, "id"); name[:3] != "405" && !errors.Is(err, file.ErrStorageRead) {
		t.Errorf("%s: Leftovers: %v", name, err)
	}
}

func second[T any](_ T, err error) error { return err }

// An unknown access key, or a refused signature, is noticed by Ping, before any upload.
func TestPingSeesWrongKeys(t *testing.T) {
	s := s3test.Start(t)
	for name, change := range map[string]func(*Options){
		"another key":    func(o *Options) { o.AccessKey = "nobody" },
		"another secret": func(o *Options) { o.SecretKey = "wrong" },
	} {
		o := Options{Endpoint: s.Endpoint, Region: s.Region, AccessKey: s.AccessKey, SecretKey: s.SecretKey}
		change(&o)
		c := New(o)
		if err := c.Ping(t.Context(), "ping-0"); !errors.Is(err, file.ErrStorageRead) {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
	}
	p := newFaultyProxy(t, s, false)
	c := p.client(t, s)
	for _, code := range []string{"AccessDenied", "PermanentRedirect"} { // the store's own words
		p.harm("GET", "", 1, answers(403, code))
		if err := c.Ping(t.Context(), "ping-0"); err != nil {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// With a wrong clock nothing works, also not at the second call, when the SDK has seen the store's clock: /readyz and
// the start say why.
func TestPingSeesAWrongClock(t *testing.T) {
	var ahead time.Duration // the store's clock, of ours
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().Add(ahead).UTC()
		w.Header().Set("Date", now.Format(http.TimeFormat))
		signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil || now.Sub(signed).Abs() > 15*time.Minute {
			answers(http.StatusForbidden, "RequestTimeTooSkewed")(nil, w, r)
			return
		}
		w.Write([]byte("<ListBucketResult><Name>ping-0</Name></ListBucketResult>"))
	}))
	defer s.Close()
	c := New(Options{Endpoint: s.URL, Region: "us-east-1", AccessKey: "a", SecretKey: "s"})
	defer c.Close()
	for _, ahead = range []time.Duration{time.Hour, -time.Hour} {
		for range 3 {
			if err := c.Ping(t.Context(), "ping-0"); !errors.Is(err, file.ErrStorageRead) ||
				!strings.Contains(err.Error(), "RequestTimeTooSkewed") {
				t.Errorf("%s: %v", ahead, err)
			}
		}
		if _, err := c.List(t.Context(), "ping-0", "", ""); !errors.Is(err, file.ErrStorageRead) {
			t.Errorf("%s: a list: %v", ahead, err)
		}
	}
	ahead = time.Minute
	if err := c.Ping(t.Context(), "ping-0"); err != nil {
		t.Error(err)
	}
}
