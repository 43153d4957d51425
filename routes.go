package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/rs/cors"

	"holdfast/auth"
	"holdfast/config"
	"holdfast/download"
	"holdfast/file"
	"holdfast/problem"
	"holdfast/tus"
)

// routes is every way into the service. Each route answers under the path of base and
// without it, because a proxy may strip the prefix.
func routes(c config.Config, base string, uploads *tus.Handler, files *download.Handler,
	usage func(http.ResponseWriter, *http.Request, file.ID), identify func(*http.Request) (file.Identity, error),
	links *auth.Links, respond problem.Responder, ready func(context.Context) error, log *slog.Logger) http.Handler {
	// As they are: a cleaned path would turn "/files/../x" into a redirect, and a decoded
	// one would let %2F divide segments.
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	router.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { respond.Write(w, r, file.ErrNotFound) })
	// only answers other methods itself: a 405 has to name the right ones (RFC 9110, 15.5.6).
	only := func(methods map[string]http.HandlerFunc) http.HandlerFunc {
		allow := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
		return func(w http.ResponseWriter, r *http.Request) {
			if handle := methods[r.Method]; handle != nil {
				handle(w, r)
				return
			}
			w.Header().Set("Allow", allow)
			respond.Write(w, r, file.ErrMethod)
		}
	}
	read := func(h http.HandlerFunc) http.HandlerFunc {
		return only(map[string]http.HandlerFunc{"GET": h, "HEAD": h})
	}

	// known hands a request on with its identity and the file it names.
	known := func(next func(http.ResponseWriter, *http.Request, file.ID)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			who, err := identify(r)
			if err != nil {
				respond.Write(w, r, err)
				return
			}
			var id file.ID
			if segment, named := mux.Vars(r)["id"]; named {
				if id, err = segmentID(segment); err != nil {
					respond.Write(w, r, err)
					return
				}
			}
			next(w, r.WithContext(auth.NewContext(r.Context(), who)), id)
		}
	}
	// opened is known for whoever comes with a signed link: the link says who that is. Who
	// can't be told goes on as nobody: the file may be open to everybody.
	opened := func(next func(http.ResponseWriter, *http.Request, file.ID)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			id, err := segmentID(mux.Vars(r)["id"])
			var who file.Identity
			query := r.URL.Query()
			switch {
			case err != nil:
			case auth.IsLink(query):
				who, err = links.Identify(id, query)
			default:
				who, err = identify(r)
			}
			switch {
			case err == nil:
				r = r.WithContext(auth.NewContext(r.Context(), who))
			case !errors.Is(err, file.ErrUnauthenticated):
				respond.Write(w, r, err)
				return
			}
			next(w, r, id)
		}
	}
	if hasExample(c.ExampleDir) {
		example(router, c, base)
	}
	for _, prefix := range prefixes(base) {
		router.HandleFunc(prefix+"/healthz", read(func(w http.ResponseWriter, r *http.Request) { answerHealth(w, nil) }))
		router.HandleFunc(prefix+"/readyz", read(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
			defer cancel()
			answerHealth(w, ready(ctx))
		}))
		for _, path := range []string{"/tus", "/tus/", "/tus/{id}"} {
			router.HandleFunc(prefix+path, func(w http.ResponseWriter, r *http.Request) {
				name, err := url.PathUnescape(mux.Vars(r)["id"])
				if err != nil {
					respond.Write(w, r, file.ErrNotFound)
					return
				}
				r.URL.Path = "/" + name
				uploads.ServeHTTP(w, r)
			})
		}
		router.HandleFunc(prefix+"/", read(known(func(w http.ResponseWriter, r *http.Request, _ file.ID) { files.List(w, r) })))
		router.HandleFunc(prefix+"/usage", read(known(usage)))
		router.HandleFunc(prefix+"/{id}", only(map[string]http.HandlerFunc{
			"GET": opened(files.Serve), "HEAD": opened(files.Serve), "DELETE": known(files.Delete),
		}))
		router.HandleFunc(prefix+"/{id}/links", only(map[string]http.HandlerFunc{"POST": known(files.Link)}))
		router.HandleFunc(prefix+"/{id}/grants", only(map[string]http.HandlerFunc{
			"GET": known(files.Grant), "HEAD": known(files.Grant), "PUT": known(files.SetGrant),
		}))
	}
	return logged(log, secured(crossOrigin(c, base).Handler(router)))
}

func prefixes(base string) []string {
	if u, err := url.Parse(base); err == nil && u.Path != "" {
		return []string{u.EscapedPath(), ""}
	}
	return []string{""}
}

func segmentID(segment string) (file.ID, error) {
	name, err := url.PathUnescape(segment)
	if err != nil {
		return "", file.NotFound(segment)
	}
	return file.ParseID(name)
}

// example serves the built example page, and where the service is to be found for it.
func example(router *mux.Router, c config.Config, base string) {
	dir := os.DirFS(c.ExampleDir)
	isFile := func(r *http.Request, _ *mux.RouteMatch) bool {
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name == "" { // a program with a token that asks for "/" wants the list of files
			return r.Header.Get("Authorization") == "" || strings.Contains(r.Header.Get("Accept"), "text/html")
		}
		info, err := fs.Stat(dir, name)
		return err == nil && info.Mode().IsRegular()
	}
	pages := http.FileServerFS(dir)
	router.MatcherFunc(isFile).Methods("GET", "HEAD").HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Authorization, Accept")
		w.Header().Set("Cache-Control", "no-cache")
		if strings.HasPrefix(r.URL.Path, "/assets/") { // their names change with their content
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		pages.ServeHTTP(w, r)
	})
	router.HandleFunc("/example.json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		json.NewEncoder(w).Encode(map[string]any{"base": base, "max_file_size": c.MaxFileSize})
	}).Methods("GET", "HEAD")
}

func answerHealth(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err != nil {
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusServiceUnavailable)
		w.Write([]byte("not ready\n"))
		return
	}
	w.Write([]byte("ok\n"))
}

// crossOrigin lets the pages of the allowed origins in (CORS), and reads errors too.
func crossOrigin(c config.Config, base string) *cors.Cors {
	allowed := append([]string{}, c.AllowedOrigins...)
	if u, err := url.Parse(base); err == nil && net.ParseIP(u.Hostname()).IsLoopback() {
		// Two names of one address: whoever opens the page by the other one.
		allowed = append(allowed, u.Scheme+"://localhost:"+u.Port(), u.Scheme+"://127.0.0.1:"+u.Port())
	}
	o := cors.Options{
		AllowedOrigins:   allowed,
		AllowCredentials: true,
		AllowedMethods:   []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"},
		AllowedHeaders: []string{"Authorization", "Content-Type", "X-Guest-Authorization", "X-Public-Authorization", "X-Request-ID",
			"X-Requested-With", "X-HTTP-Method-Override", "Range", "If-Range", "If-None-Match", "If-Match", "If-Modified-Since",
			"If-Unmodified-Since", "Want-Repr-Digest", "Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Defer-Length", "Upload-Concat", "Upload-Checksum",
			"Upload-Draft-Interop-Version", "Upload-Complete", "Upload-Incomplete", "Content-Disposition", "Repr-Digest"},
		ExposedHeaders: []string{"Location", "Tus-Version", "Tus-Resumable", "Tus-Max-Size", "Tus-Extension", "Tus-Checksum-Algorithm",
			"Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Defer-Length", "Upload-Concat", "Upload-Expires",
			"Upload-Draft-Interop-Version", "Upload-Complete", "Upload-Incomplete", "Upload-Limit", "Content-Location", "Content-Range", "Content-Disposition", "Accept-Ranges", "ETag",
			"Repr-Digest", "Retry-After"},
		MaxAge: 3600,
	}
	if len(allowed) == 0 {
		// The library takes an empty list for "everybody".
		o.AllowOriginFunc = func(string) bool { return false }
	}
	return cors.New(o)
}

// secured sets headers that every answer has.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "strict-origin-when-cross-origin")
		next.ServeHTTP(w, r)
	})
}

// logged writes one line for each request.
func logged(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, method, path := time.Now(), r.Method, r.URL.Path
		s := &statusWriter{ResponseWriter: w}
		defer func() {
			log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", method), slog.String("path", path),
				slog.Int("status", s.status), slog.Int64("bytes", s.bytes), slog.Duration("took", time.Since(start)))
		}()
		next.ServeHTTP(s, r)
	})
}

// statusWriter sees what is answered.
type statusWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 || w.status < 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// ReadFrom leads to the connection's own: what comes from a socket or a file need not
// pass through this process.
func (w *statusWriter) ReadFrom(r io.Reader) (int64, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := io.Copy(w.ResponseWriter, r)
	w.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
