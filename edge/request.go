package edge

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/felixge/httpsnoop"

	"holdfast/db"
	"holdfast/file"
	"holdfast/problem"
)

// requestInfo collects what the access log, the metrics and the span say about a request. It does not contain the
// path: a caller may have put a token there.
type requestInfo struct {
	method string
	route  string    // the pattern that matched, without the base; "none": none did
	kind   file.Kind // of the caller; empty: anonymous
	file   about
	code   string // of the problem in the answer
	answer httpsnoop.Metrics
	took   time.Duration
}

// about is the file whose row a request has read or written; empty: none. It is never an id that names no file. Work
// for the request may go on in other goroutines, even after the answer.
type about struct{ id atomic.Value }

func (a *about) note(id file.ID) { a.id.Store(id) }

func (a *about) String() string {
	id, _ := a.id.Load().(file.ID)
	return string(id)
}

// status returns the status of the answer; 0: the connection was cut before there was one.
func (n *requestInfo) status() int {
	if n.answer.Code == 0 && n.answer.Written > 0 {
		return http.StatusOK // a body was written without a status
	}
	return n.answer.Code
}

type infoKey struct{}

// requestInfoOf returns the requestInfo of ctx's request. Background work gets one that is discarded.
func requestInfoOf(ctx context.Context) *requestInfo {
	if n, ok := ctx.Value(infoKey{}).(*requestInfo); ok {
		return n
	}
	return &requestInfo{}
}

// kindLabel returns the kind of request: upload, download or other.
func (n *requestInfo) kindLabel() string {
	switch {
	case (n.route == "/{id}" || n.route == "/tus/{id}") && n.method == http.MethodGet, n.route == "/{id}" &&
		n.method == http.MethodHead:
		return "download"
	case n.route == "/tus", n.route == "/tus/", n.route == "/tus/{id}", n.route == "/upload",
		n.route == "/{id}" && n.method == http.MethodPut, strings.HasPrefix(n.route, "/direct/"):
		return "upload"
	}
	return "other"
}

// ObserveIdentity returns identify with its result recorded in the request's info.
func ObserveIdentity(identify func(*http.Request) (file.Identity, error)) func(*http.Request) (file.Identity, error) {
	return func(r *http.Request) (file.Identity, error) {
		who, err := identify(r)
		if err == nil {
			requestInfoOf(r.Context()).kind = who.Kind
		}
		return who, err
	}
}

// ObserveProblem records the code of an error. It is for problem.Responder.Observe.
func ObserveProblem(r *http.Request, p problem.Problem) { requestInfoOf(r.Context()).code = p.Code }

// ObservedRows record which file a request is about.
type ObservedRows struct{ *db.CachedDB }

func (n ObservedRows) File(ctx context.Context, id file.ID) (file.Record, error) {
	rec, err := n.CachedDB.File(ctx, id)
	if err == nil {
		requestInfoOf(ctx).file.note(id)
	}
	return rec, err
}

func (n ObservedRows) UploadRow(ctx context.Context, id file.ID) (*file.Upload, error) {
	u, err := n.CachedDB.UploadRow(ctx, id)
	if err == nil {
		requestInfoOf(ctx).file.note(id)
	}
	return u, err
}

func (n ObservedRows) CreateUpload(ctx context.Context, u file.Upload, holder string, lease time.Duration) error {
	err := n.CachedDB.CreateUpload(ctx, u, holder, lease)
	if err == nil {
		requestInfoOf(ctx).file.note(u.ID)
	}
	return err
}

func (n ObservedRows) CreateKeyedUpload(ctx context.Context, u file.Upload, holder string, lease time.Duration,
	key string, keep time.Duration) error {
	err := n.CachedDB.CreateKeyedUpload(ctx, u, holder, lease, key, keep)
	if err == nil {
		requestInfoOf(ctx).file.note(u.ID)
	}
	return err
}
