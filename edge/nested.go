package edge

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"holdfast/auth"
	"holdfast/file"
)

// redirectSlash redirects a path of the Python service that ends with a slash to the path without it, as that service
// does (307). path is the path below the base; "{id}" in it is replaced.
func (o *Options) redirectSlash(path string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		to := path
		if segment, named := mux.Vars(r)["id"]; named {
			id, err := parseSegment(segment)
			if err != nil {
				o.Respond.Write(w, r, err)
				return
			}
			to = strings.Replace(to, "{id}", id.Escaped(), 1)
		}
		to = o.Base.Of(r) + to
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", to)
		w.Header().Set("Cache-Control", "no-store") // the query may be a signed link's
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
}

// notFound answers paths that match no route: with the file whose old key the path is, slashes included, or else with
// 404. A proxy such as nginx decodes the %2F in a link to such a key.
func (o *Options) notFound(w http.ResponseWriter, r *http.Request) {
	rec, err := o.findNested(r)
	if err != nil {
		o.Respond.Write(w, r, err)
		return
	}
	o.Metrics.serve("/{id}", w, r, func(w http.ResponseWriter, r *http.Request) { o.serveNested(w, r, rec) })
}

// findNested finds the record whose id is the request's path below the base. Only imported records have ids with a
// slash, and only the exact id is found. The error is file.ErrNotFound for a path that is none.
func (o *Options) findNested(r *http.Request) (file.Record, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return file.Record{}, file.ErrNotFound
	}
	for _, prefix := range o.Base.prefixes() {
		segments, under := strings.CutPrefix(r.URL.EscapedPath(), prefix+"/")
		if !under || !strings.Contains(segments, "/") {
			continue
		}
		id, err := parseSegment(segments)
		if err != nil {
			continue
		}
		rec, err := o.Files.Records.File(r.Context(), id)
		if err == nil || !errors.Is(err, file.ErrNotFound) {
			return rec, err
		}
	}
	return file.Record{}, file.ErrNotFound
}

// serveNested serves the file of a record that findNested found. The path of an unknown key is 404 for everybody, so an
// anonymous caller gets that, too, unless the file is public: a 401 would tell that the key exists.
func (o *Options) serveNested(w http.ResponseWriter, r *http.Request, rec file.Record) {
	r, err := o.identifyOrLink(r, rec.ID)
	if _, known := auth.FromContext(r.Context()); !known && !errors.Is(err, file.ErrUnavailable) {
		anonymous := o.Files.Access.Read(r.Context(), file.Identity{}, rec)
		if errors.Is(anonymous, file.ErrDenied) {
			anonymous = file.ErrNotFound
		}
		err = cmp.Or(anonymous, err)
	}
	if err != nil {
		o.Respond.Write(w, r, err)
		return
	}
	o.Files.Serve(w, r, rec.ID)
}
