package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"holdfast/auth"
	"holdfast/config"
	"holdfast/download"
	"holdfast/file"
	"holdfast/form"
	"holdfast/limit"
	"holdfast/openapi"
	"holdfast/problem"
	"holdfast/tus"
)

// routes is every way into the service, and what every request and answer goes through.
// Each route answers under the path of base and without it, because a proxy may strip the
// prefix.
func routes(c config.Config, base string, uploads *tus.Handler, files *download.Handler, forms *form.Handler,
	usage func(http.ResponseWriter, *http.Request, file.ID), identify func(*http.Request) (file.Identity, error),
	links *auth.Links, about *openapi.Handler, respond problem.Responder, ready func(context.Context) error, metrics *requestMetrics, log *slog.Logger) http.Handler {
	// As they are: a cleaned path would turn "/files/../x" into a redirect, and a decoded
	// one would let %2F divide segments.
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	router.Use(metrics.routed(prefixes(base)[0]))
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
				noteOf(r.Context()).kind = who.Kind
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
		router.HandleFunc(prefix+"/healthz", read(func(w http.ResponseWriter, r *http.Request) { answerHealth(w, r, nil) }))
		router.HandleFunc(prefix+"/readyz", read(func(w http.ResponseWriter, r *http.Request) {
			answerHealth(w, r, ready(r.Context()))
		}))
		router.HandleFunc(prefix+"/openapi.json", read(about.Document))
		router.HandleFunc(prefix+"/docs", read(about.Page))
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
		router.HandleFunc(prefix+"/upload", only(map[string]http.HandlerFunc{
			"POST": known(func(w http.ResponseWriter, r *http.Request, _ file.ID) { forms.Serve(w, r) }),
		}))
		router.HandleFunc(prefix+"/{id}", only(map[string]http.HandlerFunc{
			"GET": opened(files.Serve), "HEAD": opened(files.Serve), "DELETE": known(files.Delete),
		}))
		router.HandleFunc(prefix+"/{id}/links", only(map[string]http.HandlerFunc{"POST": known(files.Link)}))
		router.HandleFunc(prefix+"/{id}/grants", only(map[string]http.HandlerFunc{
			"GET": known(files.Grant), "HEAD": known(files.Grant), "PUT": known(files.SetGrant),
		}))
	}
	origins := crossOrigin(c, base)
	var h http.Handler = protected(origins, respond, router)
	h = origins.Handler(recovered(respond, h))
	h = secured(c.Mode.HSTS(), patient(c.ReadTimeout, c.WriteTimeout, h))
	return named(logged(log, limit.Proxies(c.TrustedProxies), metrics, h))
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
