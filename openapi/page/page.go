// Package page makes the page of an OpenAPI document. It is no part of the program: the test of package openapi calls
// it, and the program has the result. html/template finds methods by their names while it runs, so the linker would
// keep every exported method of every type in the program, a quarter of its size.
package page

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
)

// The page needs no script: a policy that forbids scripts applies to it, too.
//
//go:embed template.html
var text string

// What the page shows of an OpenAPI document.
type (
	document struct {
		Info struct {
			Title, Summary, Version, Description string
		}
		Servers []struct{ URL string }
		Tags    []struct{ Name, Description string }
		Paths   map[string]map[string]json.RawMessage

		Components struct {
			SecuritySchemes map[string]scheme
			Headers         map[string]header
			Parameters      map[string]parameter
			Responses       map[string]response
			Schemas         map[string]schema
		}
	}
	reference struct {
		Ref string `json:"$ref"`
	}
	scheme    struct{ Type, Scheme, In, Name, Description string }
	parameter struct {
		reference
		Name, In, Description string
		Required              bool
		Schema                schema
		Example               any
	}
	header struct {
		reference
		Description string
		Required    bool
		Schema      schema
	}
	media    struct{ Schema schema }
	response struct {
		reference
		Description string
		Headers     map[string]header
		Content     map[string]media
	}
	operation struct {
		OperationID, Summary, Description string
		Tags                              []string
		Security                          []map[string][]string
		Parameters                        []parameter
		RequestBody                       *struct {
			Description string
			Required    bool
			Content     map[string]media
		}
		Responses map[string]response
		Curl      string `json:"x-curl"`

		Method, Path string `json:"-"`
		Twin         string `json:"-"` // the id of HEAD, where that is described as GET is
	}
	named struct {
		Status, Name string
		Response     response
	}
	schema struct {
		reference
		Type, Const          any
		Enum                 []any
		Format, Description  string
		Minimum, Maximum     *int64
		MinLength, MaxLength *int64
		Pattern              string
		Default              any
		Required             []string
		Properties           map[string]schema
		Items                *schema
		Examples             []any
	}
)

// Render makes the page of an OpenAPI document in JSON.
func Render(raw []byte) ([]byte, error) {
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, err
	}
	operations, err := d.read()
	if err != nil {
		return nil, err
	}
	t, err := template.New("page").Funcs(template.FuncMap{
		"markdown": markdown, "resolve": d.resolve, "head": d.header, "common": d.common, "own": d.own, "kind": kind,
		"name":     name,
		"code":     func(v any) (string, error) { b, err := json.MarshalIndent(v, "", "  "); return string(b), err },
		"required": func(s schema, property string) bool { return slices.Contains(s.Required, property) },
		"shared":   func() []named { return d.shared(operations) },
		"operations": func(tag string) []operation {
			return slices.DeleteFunc(slices.Clone(operations), func(o operation) bool { return !slices.Contains(o.Tags, tag) })
		},
	}).Parse(text)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, d)
	return b.Bytes(), err
}

// markdown renders a description (CommonMark). It is our own text: nothing in it came from
// outside.
func markdown(text string) (template.HTML, error) {
	var b bytes.Buffer
	err := goldmark.Convert([]byte(text), &b)
	return template.HTML(b.String()), err
}

// methods in the order in which a page should show them.
const methods = "get head patch delete put post options"

// read finds all operations, in the order in which the page shows them.
func (d document) read() (all []operation, err error) {
	for _, at := range slices.Sorted(maps.Keys(d.Paths)) {
		var shared []parameter
		if raw := d.Paths[at]["parameters"]; raw != nil {
			if err := json.Unmarshal(raw, &shared); err != nil {
				return nil, fmt.Errorf("%s: %w", at, err)
			}
		}
		for method := range strings.FieldsSeq(methods) {
			raw := d.Paths[at][method]
			if raw == nil {
				continue
			}
			o := operation{Method: strings.ToUpper(method), Path: at}
			if err := json.Unmarshal(raw, &o); err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, at, err)
			}
			if last := len(all) - 1; method == "head" && last >= 0 && all[last].Path == at && all[last].Summary == o.Summary {
				all[last].Twin = o.OperationID
				continue
			}
			o.Parameters = append(o.Parameters, shared...)
			slices.SortStableFunc(o.Parameters, func(a, b parameter) int { return d.last(a) - d.last(b) })
			all = append(all, o)
		}
	}
	return all, nil
}

// resolve returns the parameter that a reference names.
func (d document) resolve(p parameter) parameter {
	if p.Ref != "" {
		return d.Components.Parameters[name(p.Ref)]
	}
	return p
}

// last is the sort key of a parameter: those in the path are first, the one that every operation has is last.
func (d document) last(p parameter) int {
	switch p = d.resolve(p); {
	case p.In == "path":
		return 0
	case p.Name == "X-Request-ID":
		return 2
	}
	return 1
}

// header returns the header that a reference names.
func (d document) header(h header) header {
	if h.Ref != "" {
		return d.Components.Headers[name(h.Ref)]
	}
	return h
}

// common are the headers that all errors have, and most other answers: the page shows them once.
func (d document) common() map[string]header {
	var all map[string]header
	for _, r := range d.Components.Responses {
		if all == nil {
			all = maps.Clone(r.Headers)
		}
		maps.DeleteFunc(all, func(name string, h header) bool { return r.Headers[name].Ref != h.Ref })
	}
	return all
}

// own are the headers of a response beside the common ones.
func (d document) own(r response) map[string]header {
	own, common := maps.Clone(r.Headers), d.common()
	maps.DeleteFunc(own, func(name string, h header) bool { return common[name].Ref == h.Ref })
	return own
}

// shared are the answers that many operations have, by their status.
func (d document) shared(operations []operation) (all []named) {
	statuses := map[string]string{}
	for _, o := range operations {
		for status, r := range o.Responses {
			statuses[name(r.Ref)] = status
		}
	}
	for name, r := range d.Components.Responses {
		all = append(all, named{statuses[name], name, r})
	}
	slices.SortFunc(all, func(a, b named) int { return cmp.Compare(a.Status, b.Status) })
	return all
}

// name is the last part of a reference.
func name(ref string) string {
	if ref == "" {
		return ""
	}
	return path.Base(ref)
}

// kind describes in a few words which values a schema allows.
func kind(s schema) string {
	switch {
	case s.Ref != "":
		return name(s.Ref)
	case s.Const != nil:
		return fmt.Sprintf("always %q", fmt.Sprint(s.Const))
	case len(s.Enum) > 0:
		var all []string
		for _, v := range s.Enum {
			if v == nil {
				v = "null"
			}
			all = append(all, fmt.Sprintf("%v", cmp.Or(fmt.Sprint(v), `""`)))
		}
		return strings.Join(all, " | ")
	}
	text := "any"
	switch t := s.Type.(type) {
	case string:
		text = t
	case []any:
		var all []string
		for _, v := range t {
			all = append(all, fmt.Sprint(v))
		}
		text = strings.Join(all, " or ")
	}
	if s.Items != nil {
		text = "list of " + kind(*s.Items)
	}
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		text += fmt.Sprintf(", %d to %d", *s.Minimum, *s.Maximum)
	case s.Minimum != nil:
		text += fmt.Sprintf(", %d or more", *s.Minimum)
	case s.MaxLength != nil:
		text += fmt.Sprintf(", at most %d characters", *s.MaxLength)
	}
	if s.Default != nil {
		text += fmt.Sprintf(", by default %v", s.Default)
	}
	if s.Format == "date-time" || s.Format == "uri" || s.Format == "binary" {
		text += " (" + s.Format + ")"
	}
	return text
}
