package openapi

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	render "holdfast/openapi/page"
	"holdfast/problem"
)

const base = "https://files.example.org/files"

func load(t *testing.T) *openapi3.T {
	t.Helper()
	raw, err := Document(base)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// The document is OpenAPI 3.1, and says where the service is.
func TestDocument(t *testing.T) {
	doc := load(t)
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if doc.OpenAPI != "3.1.0" || doc.Servers[0].URL != base {
		t.Errorf("%s at %s", doc.OpenAPI, doc.Servers[0].URL)
	}
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			if o.OperationID == "" || o.Summary == "" || len(o.Tags) != 1 || doc.Tags.Get(o.Tags[0]) == nil ||
				o.Security == nil {
				t.Errorf("%s %s: id, summary, one tag that there is, or who may is missing", method, path)
			}
		}
	}
}

// The document has each error of package problem, at its status, with its message, and no others.
func TestErrors(t *testing.T) {
	doc := load(t)
	statuses := map[string]string{} // by the name of a response
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			for status, r := range o.Responses.Map() {
				name, shared := strings.CutPrefix(r.Ref, "#/components/responses/")
				if !shared {
					continue
				}
				if before := statuses[name]; before != "" && before != status {
					t.Errorf("%s %s: %s is %s here, %s elsewhere", method, path, name, status, before)
				}
				statuses[name] = status
			}
		}
	}
	want, got := map[string][]string{}, map[string][]string{}
	for _, p := range problem.All() {
		status := strconv.Itoa(p.Status)
		if p.Status == http.StatusTooManyRequests { // of another form
			continue
		}
		want[status] = append(want[status], p.Code+" "+p.Message)
	}
	for name, r := range doc.Components.Responses {
		content := r.Value.Content.Get("application/json")
		if content == nil || content.Schema.Ref != "#/components/schemas/Error" {
			continue
		}
		status := statuses[name]
		var codes []string
		item := regexp.MustCompile("(?m)^- `([A-Z]+_\\d+)` (.+?)(?::.*|\\.)$")
		for _, m := range item.FindAllStringSubmatch(*r.Value.Description, -1) {
			got[status] = append(got[status], m[1]+" "+m[2])
			codes = append(codes, m[1])
		}
		for _, code := range codes {
			if err := content.Schema.Value.VisitJSON(map[string]any{"code": code, "message": "x"},
				openapi3.EnableJSONSchema2020()); err != nil {
				t.Errorf("%s: %s is told and not in the schema: %v", name, code, err)
			}
		}
		if content.Schema.Value.VisitJSON(map[string]any{"code": "VAL_000", "message": "x"},
			openapi3.EnableJSONSchema2020()) == nil {
			t.Errorf("%s takes any code", name)
		}
	}
	for _, all := range []map[string][]string{want, got} {
		for _, codes := range all {
			slices.Sort(codes)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is described (+) and what there is (-):\n%s", diff)
	}
}

func TestServe(t *testing.T) {
	h := New(base)
	for name, serve := range map[string]http.HandlerFunc{"application/json": h.Document,
		"text/html; charset=utf-8": h.Page} {
		ask := func(header ...string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("GET", "/", nil)
			for _, v := range header {
				r.Header.Add("If-None-Match", v)
			}
			w := httptest.NewRecorder()
			serve(w, r)
			return w
		}
		w := ask()
		tag := w.Header().Get("ETag")
		if w.Code != 200 || w.Header().Get("Content-Type") != name || w.Body.Len() < 1000 || tag == "" ||
			w.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
		for _, c := range []struct {
			tags []string
			want int
		}{{[]string{tag}, 304}, {[]string{"W/" + tag}, 304}, {[]string{`"a", ` + tag}, 304}, {[]string{`"a"`, tag}, 304},
			{[]string{"*"}, 304},
			{[]string{`"a"`}, 200}, {[]string{tag[1 : len(tag)-1]}, 200}, {[]string{""}, 200}} {
			if w := ask(c.tags...); w.Code != c.want || (c.want == 304) != (w.Body.Len() == 0) {
				t.Errorf("%s %q: %d with %d bytes, want %d", name, c.tags, w.Code, w.Body.Len(), c.want)
			}
		}
	}
}

var update = flag.Bool("update", false, "write page.html")

// page.html is the page of openapi.yaml. `go test ./openapi -update` writes it.
func TestPageIsThatOfTheDocument(t *testing.T) {
	raw, err := Document(anyBase)
	if err != nil {
		t.Fatal(err)
	}
	want, err := render.Render(raw)
	if err != nil {
		t.Fatal(err)
	}
	if page == string(want) {
		return
	}
	if *update {
		if err := os.WriteFile("page.html", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("page.html is not that of openapi.yaml (go test ./openapi -update writes it):\n%s",
		cmp.Diff(strings.Split(string(want), "\n"), strings.Split(page, "\n")))
}

// The page has every operation, error and schema, and no broken link.
func TestPage(t *testing.T) {
	w := httptest.NewRecorder()
	New(base+`?a="&b=<`).Page(w, httptest.NewRequest("GET", "/", nil))
	page, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("%s is there twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !ids[m[1]] {
			t.Errorf("#%s leads nowhere", m[1])
		}
	}
	doc := load(t)
	for _, item := range doc.Paths.Map() {
		for _, o := range item.Operations() {
			if !ids[o.OperationID] {
				t.Errorf("%s is not on the page", o.OperationID)
			}
		}
	}
	for name := range doc.Components.Schemas {
		if !ids["schema-"+name] {
			t.Errorf("schema %s is not on the page", name)
		}
	}
	for _, bad := range []string{"<script", " style=", "<no value>", "&lt;nil&gt;", "http://", anyBase} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if !strings.Contains(page, "<code>URL="+base+"?a=&#34;&amp;b=&lt;\n") ||
		!strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") {
		t.Errorf("no base, or the policy is %s", policy)
	}
}
