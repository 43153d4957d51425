package edge

import (
	"cmp"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/gorilla/mux"

	"holdfast/auth"
	"holdfast/config"
)

// addPages serves the built example pages, and /example.json, which has their settings.
func addPages(router *mux.Router, c config.Config, base BaseURL) {
	dir := os.DirFS(c.ExampleDir)
	isFile := func(r *http.Request, _ *mux.RouteMatch) bool {
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name == "" { // programs that send a token want the list of files
			return !auth.HasHeader(r) || strings.Contains(r.Header.Get("Accept"), "text/html")
		}
		info, err := fs.Stat(dir, name)
		return err == nil && info.Mode().IsRegular()
	}
	pages := http.FileServerFS(dir)
	policy := examplePolicy(c, base.String())
	router.MatcherFunc(isFile).Methods("GET", "HEAD").HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", auth.Varies()+", Accept")
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("Content-Security-Policy", policy)
		if strings.HasPrefix(r.URL.Path, "/assets/") { // their names change with their content
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		pages.ServeHTTP(w, r)
	})
	router.HandleFunc("/example.json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		json.NewEncoder(w).Encode(map[string]any{"base": base.Of(r), "max_file_size": c.MaxFileSize})
	}).Methods("GET", "HEAD")
}

// examplePolicy is the Content-Security-Policy of the example pages: their own scripts, the service, and what a preview
// shows. PDFs and films are shown from memory, too (blob:).
func examplePolicy(c config.Config, base string) string {
	from := append([]string{"'self'"}, ownOrigins(base)...)
	if c.Download.Redirect { // the bytes come from the store
		from = append(from, cmp.Or(c.Download.RedirectEndpoint, c.Storage.Endpoint, "https:"))
	}
	sources := strings.Join(from, " ")
	return "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; manifest-src " +
		"'self'; connect-src " + sources +
		"; img-src " + sources + " blob: data:; media-src " + sources + " blob:; frame-src " + sources +
		" blob:; object-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}

// HasExample reports whether the example page was built into dir.
func HasExample(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, "index.html"))
	return err == nil && info.Mode().IsRegular()
}
