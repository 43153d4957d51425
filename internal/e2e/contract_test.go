package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"holdfast/openapi"
)

// contract is the http.RoundTripper of the tests. It fails the test if an answer does not match openapi/openapi.yaml.
// A request that succeeds must be described there, too; one that is refused need not be.
type contract struct {
	doc *openapi3.T

	mu      sync.Mutex
	servers map[string]*server // by host and port
	seen    map[string]bool    // operations and statuses, "getFile 200"
	told    map[string]bool    // reported findings: each is reported once
	right   map[judged]bool    // parts of answers that match their description
}

var elsewhere = newLines()

// promised is the contract of all servers.
var promised = &contract{servers: map[string]*server{}, seen: map[string]bool{}, told: map[string]bool{},
	right: map[judged]bool{}}

func (c *contract) load() error {
	raw, err := openapi.Document("http://service")
	if err != nil {
		return err
	}
	openapi3filter.RegisterBodyDecoder("application/xml", openapi3filter.FileBodyDecoder)
	c.doc, err = openapi3.NewLoader().LoadFromData(raw)
	return err
}

// binds checks the answers of this address while the test of s runs.
func (c *contract) binds(host string, s *server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.servers[host] = s
	s.t.Cleanup(func() { c.mu.Lock(); defer c.mu.Unlock(); delete(c.servers, host) })
}

func (c *contract) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	s := c.servers[r.URL.Host]
	c.mu.Unlock()
	if s == nil {
		return elsewhere.RoundTrip(r) // a store, or a proxy
	}
	res, err := s.lines.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if err := c.check(s.prefix(), r, res); err != nil && c.news(s.t.Name()+" "+err.Error()) {
		s.t.Errorf("not as openapi.yaml says: %s %.200s %v\nanswered with %d %v\n%v", r.Method, r.URL, r.Header,
			res.StatusCode, res.Header, err)
	}
	return res, nil
}

func (c *contract) news(finding string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.told[finding]
	c.told[finding] = true
	return !before
}

// prefix returns the path that precedes the document's paths for clients.
func (s *server) prefix() string {
	for _, setting := range s.env {
		if base, ok := strings.CutPrefix(setting, "PUBLIC_URL="); ok {
			u, err := url.Parse(base)
			if err != nil {
				s.t.Fatal(err)
			}
			return u.EscapedPath()
		}
	}
	return "/files"
}

func (c *contract) check(prefix string, r *http.Request, res *http.Response) error {
	if res.Header.Get("X-Request-Id") == "" { // net/http itself refused it
		if res.StatusCode != http.StatusBadRequest && res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			return errors.New("this is not the service's answer")
		}
		return nil
	}
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		if res.StatusCode != http.StatusNoContent {
			return errors.New("a preflight (CORS) is 204")
		}
		return nil
	}
	path, params := c.find(prefix, r.URL.EscapedPath())
	if path == "" {
		return c.refused(res, "NotFound", "Forbidden", "FrontEnd")
	}
	method := r.Method
	if override := r.Header.Get("X-HTTP-Method-Override"); path == "/tus/" && override != "" && method == http.MethodPost {
		method = strings.ToUpper(override)
	}
	item := c.doc.Paths.Value(path)
	o := item.Operations()[method]
	if o == nil {
		if err := c.refused(res, "MethodNotAllowed", "Forbidden"); err != nil || res.StatusCode == http.StatusForbidden {
			return err
		}
		return allows(res, item, path)
	}
	c.mu.Lock()
	c.seen[fmt.Sprint(o.OperationID, " ", res.StatusCode)] = true
	c.mu.Unlock()
	response := o.Responses.Status(res.StatusCode)
	if response == nil {
		return fmt.Errorf("%s has no answer %d", o.OperationID, res.StatusCode)
	}
	bare := r.Clone(context.Background())
	bare.Body = http.NoBody // otherwise the library would read it to find a token in it
	input := &openapi3filter.RequestValidationInput{Request: bare, PathParams: params, QueryParams: r.URL.Query(),
		Route:   &routers.Route{Spec: c.doc, Path: path, PathItem: item, Method: method, Operation: o},
		Options: &openapi3filter.Options{AuthenticationFunc: presented, SkipSettingDefaults: true, ExcludeRequestBody: true}}
	if err := conforms(input, res, response.Value); err != nil {
		return err
	}
	if res.StatusCode >= 300 && res.StatusCode != http.StatusNotModified || method == http.MethodOptions {
		return nil // OPTIONS is allowed with any headers
	}
	if err := accepted(input); err != nil {
		return err
	}
	return sentFits(r, o.RequestBody)
}

// find returns the document's path for a request's, and the values of its parameters. A literal path takes precedence
// over one with parameters.
func (c *contract) find(prefix, escaped string) (path string, params map[string]string) {
	if rest, under := strings.CutPrefix(escaped, prefix+"/"); under {
		escaped = "/" + rest
	}
	if escaped == "/tus" {
		escaped = "/tus/"
	}
	if c.doc.Paths.Value(escaped) != nil {
		return escaped, nil
	}
	segments := strings.Split(escaped, "/")
	for _, path := range c.doc.Paths.InMatchingOrder() {
		params := map[string]string{}
		if slices.EqualFunc(strings.Split(path, "/"), segments, func(want, got string) bool {
			value, err := url.PathUnescape(got)
			if name, variable := strings.CutPrefix(want, "{"); variable && got != "" && err == nil {
				params[strings.TrimSuffix(name, "}")] = value
				return true
			}
			return want == got
		}) {
			return path, params
		}
	}
	return "", nil
}

// refused expects one of the document's errors, by name, for a request that matches no operation.
func (c *contract) refused(res *http.Response, names ...string) error {
	for _, name := range names {
		input := &openapi3filter.RequestValidationInput{Request: res.Request, Route: &routers.Route{Spec: c.doc,
			Operation: &openapi3.Operation{
				Responses: openapi3.NewResponses(openapi3.WithStatus(res.StatusCode, c.doc.Components.Responses[name]))}}}
		want := map[string]int{"NotFound": 404, "Forbidden": 403, "MethodNotAllowed": 405, "FrontEnd": 302}[name]
		if res.StatusCode == want {
			return conforms(input, res, c.doc.Components.Responses[name].Value)
		}
	}
	return fmt.Errorf("no such path or method: one of %v was to be expected", names)
}

// allows checks that a 405 names the methods of the document.
func allows(res *http.Response, item *openapi3.PathItem, path string) error {
	var want []string
	for method := range item.Operations() {
		if path != "/tus/{id}" || method != http.MethodPost { // POST is only for overridden methods
			want = append(want, method)
		}
	}
	got := strings.Split(res.Header.Get("Allow"), ", ")
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return fmt.Errorf("Allow names %v, the document has %v", got, want)
	}
	return nil
}

// ofAll are headers that net/http sets, and that are not described.
var ofAll = []string{"Date", "Content-Type", "Content-Length", "Connection", "Transfer-Encoding"}

// The service serves the description that the tests use, and pages of every origin may read it.
func TestDescription(t *testing.T) {
	s := start(t)
	want, err := openapi.Document(s.base)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/files/openapi.json", "/openapi.json"} {
		a := s.do(t, "GET", path, nil, "Authorization: -", "Origin: https://viewer.example.org")
		if a.status != 200 || !bytes.Equal(a.body, want) || a.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %v", path, a)
		}
	}
	tag := s.do(t, "HEAD", "/openapi.json", nil).header.Get("ETag")
	s.check(t, []line{
		{"GET", "/openapi.json", "If-None-Match: " + tag, "", 304, "", ""},
		{"GET", "/files/docs", "Authorization: -", "", 200, "", "style-src 'sha256-"},
		{"GET", "/docs", "", "", 200, "", "createUpload"},
		{"HEAD", "/docs", "", "", 200, "", "Content-Type: text/html"},
		{"POST", "/docs", "", "", 405, "VAL_006", "Allow: GET, HEAD"},
	})
}
