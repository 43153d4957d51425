package edge

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"holdfast/config"
	"holdfast/file"
)

// An id is reserved if, and only if, one of the addresses that its file would have leads elsewhere. The ids are all
// names that routes have, and some that no route has.
func TestReserved(t *testing.T) {
	pages := t.TempDir()
	for _, name := range []string{"index.html", "assets/a.js"} {
		path := filepath.Join(pages, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, public := range []string{"", "https://files.example.org", "https://example.org/a/b"} {
		c := config.Config{PublicURL: public, ExampleDir: pages}
		o := Options{Config: c, Base: NewBaseURL(public, "http", "localhost"), Uploads: struct{ Uploads }{}}
		router, reserved, n := o.routes(), Reserved(c), 0
		for id := range names(router) {
			var elsewhere []string
			for _, address := range []string{"GET ", "HEAD ", "DELETE ", "GET /links", "POST /links", "DELETE /links/1",
				"GET /grants", "PUT /grants"} {
				method, below, _ := strings.Cut(address, " ")
				at := &url.URL{Path: o.Base.Prefix() + "/" + string(id) + below,
					RawPath: o.Base.Prefix() + "/" + id.Escaped() + below}
				var m mux.RouteMatch
				router.Match(&http.Request{Method: method, URL: at}, &m)
				if path, _ := m.Route.GetPathTemplate(); !strings.HasPrefix(path, o.Base.Prefix()+"/{id}") {
					elsewhere = append(elsewhere, address)
				}
			}
			if reserved(id) != (len(elsewhere) > 0) {
				t.Errorf("%s: %q: reserved: %t, and these lead elsewhere: %q", public, id, reserved(id), elsewhere)
			}
			if len(elsewhere) > 0 {
				n++
			}
		}
		if own := map[bool]int{false: 9, true: 12}[o.Base.Prefix() == ""]; n < own {
			t.Errorf("%s: only %d ids lead elsewhere", public, n)
		}
		for _, id := range []file.ID{"usage", "docs", "upload", "tus", "direct", "healthz", "readyz", "openapi.json",
			"links"} {
			if !reserved(id) {
				t.Errorf("%s: %q is free", public, id)
			}
		}
	}
}

// names are ids that a file might have: all names in paths of the routes, and others.
func names(router *mux.Router) map[file.ID]bool {
	all := map[file.ID]bool{"metrics": true, "index.html": true, "assets/a.js": true, "a/b": true, "tus/a": true,
		"Docs": true, "ü %2f": true, file.NewID(): true}
	router.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, _ := route.GetPathTemplate()
		for _, name := range strings.Split(path, "/") {
			if name != "" && !strings.HasPrefix(name, "{") {
				all[file.ID(name)] = true
			}
		}
		return nil
	})
	return all
}
