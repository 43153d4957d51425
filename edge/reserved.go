package edge

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"holdfast/config"
	"holdfast/file"
)

// Reserved returns a function that reports whether a file with this id could not be reached by its URL, since the
// service has something else there, or at the addresses of the file's links and grants. Which ids these are follows
// from the routes themselves.
func Reserved(c config.Config) func(file.ID) bool {
	o := Options{Config: c, Base: NewBaseURL(c.PublicURL, "http", "localhost"), Uploads: struct{ Uploads }{}}
	names, prefix := make(map[file.ID]bool), o.Base.Prefix()+"/"
	var pages []*mux.Route // which have no path of their own: they ask a folder what is there
	_ = o.routes().Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := route.GetPathTemplate()
		if err != nil {
			pages = append(pages, route)
			return nil
		}
		if below, under := strings.CutPrefix(path, prefix); under {
			name, _, _ := strings.Cut(below, "/")
			names[file.ID(name)] = name != "" && !strings.HasPrefix(name, "{")
		}
		return nil
	})
	return func(id file.ID) bool {
		if names[id] {
			return true
		}
		for _, page := range pages {
			at := &url.URL{Path: prefix + string(id), RawPath: prefix + id.Escaped()}
			if page.Match(&http.Request{Method: http.MethodGet, URL: at}, &mux.RouteMatch{}) {
				return true
			}
		}
		return false
	}
}
