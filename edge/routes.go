// Package edge has the routes of the service and the middleware around them.
package edge

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
	"holdfast/direct"
	"holdfast/download"
	"holdfast/file"
	"holdfast/form"
	"holdfast/limit"
	"holdfast/openapi"
	"holdfast/problem"
	"holdfast/reqbody"
)

// Options are the handlers of the service and what its middleware needs.
type Options struct {
	Config config.Config // CORS, deadlines, proxies, the example page
	Base   BaseURL

	Uploads Uploads
	Files   *download.Handler
	Forms   *form.Handler
	Direct  *direct.Handler
	Usage   UsageRows
	API     *openapi.Handler

	Identify func(*http.Request) (file.Identity, error)
	Links    *auth.Links
	Respond  problem.Responder
	Ready    func(context.Context) error
	Metrics  *Metrics
	// Connections counts the requests of HTTP/2.
	Connections *limit.Connections
	Log         *slog.Logger
}

// Uploads are the resumable uploads.
type Uploads interface {
	http.Handler // the upload endpoint; it expects paths with the prefix cut
	// Create handles a file that is sent to an address other than the upload endpoint; name may be empty.
	Create(w http.ResponseWriter, r *http.Request, name string)
	// Discover answers OPTIONS at an address where Create accepts files.
	Discover(w http.ResponseWriter, r *http.Request)
}

// New returns the service as an http.Handler. Each route answers under the path of Base and without it, because a
// proxy may strip the prefix.
func New(o Options) http.Handler {
	router := o.routes()
	router.Use(o.Metrics.recordRoute(o.Base.Prefix()))
	router.NotFoundHandler = http.HandlerFunc(o.notFound)
	return o.withMiddleware(router)
}

// routes returns all routes of the service.
func (o *Options) routes() *mux.Router {
	// Paths are matched as they are: a cleaned path would turn "/files/../x" into a redirect, and in a decoded path
	// %2F would separate segments.
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	if HasExample(o.Config.ExampleDir) {
		addPages(router, o.Config, o.Base)
	}
	for _, prefix := range o.Base.prefixes() {
		o.route(router, prefix)
	}
	return router
}

// withMiddleware wraps h in the middleware that every request goes through, the outermost last.
func (o *Options) withMiddleware(h http.Handler) http.Handler {
	c, origins := o.Config, newOrigins(o.Config, o.Base.String())
	h = rejectCrossOrigin(origins, o.Respond, refuseContentEncoding(o.Respond, h))
	h = refuseRepeated(o.Respond, h)
	h = withStreamLimit(o.Connections, o.Respond, h)
	h = origins.Handler(recoverPanics(o.Respond, h))
	h = withSecurityHeaders(c.Mode.HSTS(), withDeadlines(c.ReadTimeout, c.WriteTimeout, h))
	if c.Limits.On { // without limits, no client address is counted
		h = warnUntrustedProxy(c.TrustedProxies, o.Log, h)
	}
	h = withRequestID(withLog(o.Log, limit.Proxies(c.TrustedProxies), o.Metrics, h))
	return withStreams(c.WriteTimeout, reqbody.AnswerEarly(h))
}

// route adds all routes under a prefix.
func (o *Options) route(router *mux.Router, prefix string) {
	read := func(h http.HandlerFunc) http.HandlerFunc { return o.allowMethods(methods{"GET": h, "HEAD": h}) }
	router.HandleFunc(prefix+"/healthz", read(func(w http.ResponseWriter, r *http.Request) { writeHealth(w, r, nil) }))
	router.HandleFunc(prefix+"/readyz", read(func(w http.ResponseWriter, r *http.Request) {
		writeHealth(w, r, o.Ready(r.Context()))
	}))
	router.HandleFunc(prefix+"/openapi.json", read(o.API.Document))
	router.HandleFunc(prefix+"/docs", read(o.API.Page))
	for _, path := range []string{"/tus", "/tus/", "/tus/{id}"} {
		router.HandleFunc(prefix+path, o.tus)
	}
	o.routeDirect(router, prefix)
	router.HandleFunc(prefix+"/", read(o.withIdentity(func(w http.ResponseWriter, r *http.Request,
		_ file.ID) {
		o.Files.List(w, r)
	})))
	router.HandleFunc(prefix+"/usage", read(o.withIdentity(usage(o.Usage, o.Respond))))
	router.HandleFunc(prefix+"/upload", o.allowMethods(methods{"POST": o.upload, "OPTIONS": o.Uploads.Discover}))
	// Other methods fall through to a file with that id.
	router.HandleFunc(prefix+"/links", o.withIdentity(func(w http.ResponseWriter, r *http.Request, _ file.ID) {
		o.Files.EndLinksOf(w, r)
	})).Methods(http.MethodDelete)
	router.HandleFunc(prefix+"/upload/", o.allowMethods(methods{"POST": o.redirectSlash("/upload")}))
	serve := o.withIdentityOrLink(o.Files.Serve)
	router.HandleFunc(prefix+"/{id}", o.allowMethods(methods{"GET": serve, "HEAD": serve,
		"DELETE": o.withIdentity(o.Files.Delete), "PUT": o.put, "OPTIONS": o.Uploads.Discover}))
	withoutSlash := o.redirectSlash("/{id}")
	router.HandleFunc(prefix+"/{id}/", o.allowMethods(methods{"GET": withoutSlash, "HEAD": withoutSlash,
		"DELETE": withoutSlash}))
	router.HandleFunc(prefix+"/{id}/links", o.allowMethods(methods{
		"POST": o.withIdentity(o.Files.Link), "GET": o.withIdentity(o.Files.ListLinks),
		"HEAD":   o.withIdentity(o.Files.ListLinks),
		"DELETE": o.withIdentity(o.Files.EndLinks),
	}))
	router.HandleFunc(prefix+"/{id}/links/{link}",
		o.allowMethods(methods{"DELETE": o.withIdentity(func(w http.ResponseWriter, r *http.Request, id file.ID) {
			o.Files.EndLink(w, r, id, mux.Vars(r)["link"])
		})}))
	grant := o.withIdentity(o.Files.Grant)
	router.HandleFunc(prefix+"/{id}/grants", o.allowMethods(methods{"GET": grant, "HEAD": grant,
		"PUT": o.withIdentity(o.Files.SetGrant)}))
}

// routeDirect adds the routes of uploads whose clients send the parts to the store.
func (o *Options) routeDirect(router *mux.Router, prefix string) {
	create := o.withIdentity(func(w http.ResponseWriter, r *http.Request, _ file.ID) { o.Direct.Create(w, r) })
	router.HandleFunc(prefix+"/direct/", o.allowMethods(methods{"GET": o.Direct.Capabilities, "POST": create}))
	router.HandleFunc(prefix+"/direct/{id}", o.allowMethods(methods{"GET": o.withIdentity(o.Direct.Show),
		"DELETE": o.withIdentity(o.Direct.Cancel)}))
	router.HandleFunc(prefix+"/direct/{id}/parts", o.allowMethods(methods{"POST": o.withIdentity(o.Direct.SignParts)}))
	router.HandleFunc(prefix+"/direct/{id}/complete", o.allowMethods(methods{"POST": o.withIdentity(o.Direct.Complete)}))
}

// tus strips the prefix from a request's path and passes it to the tus endpoint.
func (o *Options) tus(w http.ResponseWriter, r *http.Request) {
	name, err := url.PathUnescape(mux.Vars(r)["id"])
	if err != nil {
		o.Respond.Write(w, r, file.ErrNotFound)
		return
	}
	r.URL.Path = "/" + name
	o.Uploads.ServeHTTP(w, r)
}

// upload handles a form, or a body that is the file itself.
func (o *Options) upload(w http.ResponseWriter, r *http.Request) {
	if !form.Is(r) {
		o.Uploads.Create(w, r, "")
		return
	}
	o.withIdentity(func(w http.ResponseWriter, r *http.Request, _ file.ID) { o.Forms.Serve(w, r) })(w, r)
}

// put handles a file whose name is the path's last segment. The file gets a URL of its own.
func (o *Options) put(w http.ResponseWriter, r *http.Request) {
	name, err := url.PathUnescape(mux.Vars(r)["id"])
	if err != nil {
		o.Respond.Write(w, r, file.ErrNotFound)
		return
	}
	o.Uploads.Create(w, r, name)
}

// methods are the handlers of a route, by method.
type methods map[string]http.HandlerFunc

// allowMethods answers 405 for other methods, with the allowed methods in Allow (RFC 9110, 15.5.6), as an answer to
// OPTIONS has them.
func (o *Options) allowMethods(m methods) http.HandlerFunc {
	allow := strings.Join(slices.Sorted(maps.Keys(m)), ", ")
	return func(w http.ResponseWriter, r *http.Request) {
		handle := m[r.Method]
		if handle == nil || r.Method == http.MethodOptions {
			w.Header().Set("Allow", allow)
		}
		if handle != nil {
			handle(w, r)
			return
		}
		o.Respond.Write(w, r, file.ErrMethod)
	}
}

// fileHandler answers requests about a file; its id is empty where the route names none.
type fileHandler func(http.ResponseWriter, *http.Request, file.ID)

// withIdentity passes a request on with its caller's identity. Unauthenticated requests get 401.
func (o *Options) withIdentity(next fileHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r, _, err := auth.Enter(r, o.Identify)
		if err != nil {
			o.Respond.Write(w, r, err)
			return
		}
		var id file.ID
		if segment, named := mux.Vars(r)["id"]; named {
			if id, err = parseSegment(segment); err != nil {
				o.Respond.Write(w, r, err)
				return
			}
		}
		next(w, r, id)
	}
}

// withIdentityOrLink is like withIdentity, but also accepts a signed link and anonymous requests: the file may be
// public.
func (o *Options) withIdentityOrLink(next fileHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := parseSegment(mux.Vars(r)["id"])
		if err == nil {
			r, err = o.identifyOrLink(r, id)
		}
		if err != nil {
			o.Respond.Write(w, r, err)
			return
		}
		next(w, r, id)
	}
}

// identifyOrLink returns r with the identity of its caller, or of its signed link to the file id. Unauthenticated
// requests continue as anonymous, and so do requests whose token is not looked up because too many wrong ones came
// before. After an error the request is returned as it was.
func (o *Options) identifyOrLink(r *http.Request, id file.ID) (*http.Request, error) {
	var who file.Identity
	var err error
	if query := r.URL.Query(); auth.IsLink(query) {
		who, err = o.Links.Identify(id, query)
	} else {
		who, err = o.Identify(r)
	}
	switch {
	case err == nil:
		requestInfoOf(r.Context()).kind = who.Kind
		return r.WithContext(auth.NewContext(r.Context(), who)), nil
	case errors.Is(err, file.ErrUnauthenticated), errors.Is(err, file.ErrTooMany):
		return r.WithContext(auth.AnonymousContext(r.Context(), err)), nil
	}
	return r, err
}

func parseSegment(segment string) (file.ID, error) {
	name, err := url.PathUnescape(segment)
	if err != nil {
		return "", file.NotFound(segment)
	}
	return file.ParseID(name)
}
