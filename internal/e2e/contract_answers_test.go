package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// conforms compares an answer with its description: headers, type, and every field of a body that is data.
func conforms(input *openapi3filter.RequestValidationInput, res *http.Response, want *openapi3.Response) error {
	described := map[string]bool{}
	for name, h := range want.Headers {
		described[http.CanonicalHeaderKey(name)] = true
		if h.Value.Required && len(res.Header.Values(name)) == 0 {
			return fmt.Errorf("%s is missing", name)
		}
	}
	for name := range res.Header {
		if !described[name] && !slices.Contains(ofAll, name) {
			return fmt.Errorf("the header %s is not described", name)
		}
	}
	if err := bodyFits(res, want); err != nil {
		return err
	}
	// A value that was checked once is not checked again: the library compiles a schema each time.
	fresh := &openapi3.Response{Description: want.Description, Headers: openapi3.Headers{}}
	var keys []judged
	for name, h := range want.Headers {
		key := judged{want, name, strings.Join(res.Header.Values(name), "\n")}
		if !matches(h.Value.Schema, key.what) && !promised.holds(key) {
			fresh.Headers[name] = h
			keys = append(keys, key)
		}
	}
	answer := &openapi3filter.ResponseValidationInput{Status: res.StatusCode, Header: res.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: true}}
	mediaType, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if data := want.Content[mediaType]; data != nil && data.Schema != nil && bodied(res) {
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
		if err != nil {
			return nil // the connection was cut by the test
		}
		if key := (judged{want, "", res.Header.Get("Content-Type") + "\n" + string(body)}); !promised.holds(key) {
			fresh.Content = want.Content
			keys = append(keys, key)
		}
		answer.Options.ExcludeResponseBody = fresh.Content == nil
		answer.SetBodyBytes(body)
	}
	read := *input
	read.Request = input.Request.Clone(context.Background())
	read.Request.Method = http.MethodGet // the library looks at no headers of HEAD
	read.Route = &routers.Route{Spec: input.Route.Spec, Operation: &openapi3.Operation{
		Responses: openapi3.NewResponses(openapi3.WithStatus(res.StatusCode, &openapi3.ResponseRef{Value: fresh}))}}
	answer.RequestValidationInput = &read
	if err := openapi3filter.ValidateResponse(context.Background(), answer); err != nil {
		return err
	}
	promised.keep(keys)
	return nil
}

// judged is a checked part of an answer: its description, the name of the header (empty: the body), and its value.
type judged struct {
	by         *openapi3.Response
	name, what string
}

// matches checks values that differ each time, such as a request's id, by the pattern alone, if the description has
// nothing else.
func matches(description *openapi3.SchemaRef, value string) bool {
	d := description.Value
	if d.Pattern == "" || !reflect.DeepEqual(d, &openapi3.Schema{Type: &openapi3.Types{"string"}, Pattern: d.Pattern,
		Extensions: d.Extensions, Origin: d.Origin}) {
		return false
	}
	pattern, known := patterns.Load(d.Pattern)
	if !known {
		pattern, _ = patterns.LoadOrStore(d.Pattern, regexp.MustCompile(d.Pattern))
	}
	return pattern.(*regexp.Regexp).MatchString(value)
}

var patterns sync.Map // of *regexp.Regexp, by their texts

func (c *contract) holds(j judged) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.right[j]
}

func (c *contract) keep(all []judged) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, j := range all {
		if len(j.what) < 4096 { // to limit the memory
			c.right[j] = true
		}
	}
}

// failing ends a body with the same error as the real one.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}

// bodied reports whether an answer may have a body at all. With an override to HEAD it has one for net/http.
func bodied(res *http.Response) bool {
	return res.Request.Method != http.MethodHead && !strings.EqualFold(res.Request.Header.Get("X-HTTP-Method-Override"),
		"HEAD") &&
		res.StatusCode != http.StatusNoContent && res.StatusCode != http.StatusNotModified
}

func bodyFits(res *http.Response, want *openapi3.Response) error {
	switch mediaType := res.Header.Get("Content-Type"); {
	case !bodied(res):
	case want.Extensions["x-may-be-empty"] == true && mediaType == "" && res.ContentLength == 0:
	case len(want.Content) == 0 && res.ContentLength != 0:
		return errors.New("a body is not described")
	case len(want.Content) > 0 && want.Content.Get(mediaType) == nil:
		return fmt.Errorf("the type %q is not described", mediaType)
	}
	return nil
}
