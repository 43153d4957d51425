package main

import (
	"context"
	"net/http"
	"time"

	"holdfast/db"
	"holdfast/file"
	"holdfast/problem"
)

// note is what is found out about a request on its way, for its log line, its metrics and
// its span. The request's path is not in it: somebody may have put a token there.
type note struct {
	method string
	route  string    // the pattern that matched, without the base; "none": none did
	kind   file.Kind // of who is asking; empty: nobody was told apart
	file   file.ID   // whose row was read or written; what is no file's id is not in here
	code   string    // of the problem that was answered
	status int       // 0: the connection was cut before an answer
	bytes  int64     // of the answer's body
	took   time.Duration
}

type noteKey struct{}

// noteOf is the note of ctx's request; what goes on beside requests has one that nobody reads.
func noteOf(ctx context.Context) *note {
	if n, ok := ctx.Value(noteKey{}).(*note); ok {
		return n
	}
	return &note{}
}

// kindOf is what sort of request this is: upload, download or other.
func (n *note) kindOf() string {
	switch {
	case (n.route == "/{id}" || n.route == "/tus/{id}") && n.method == http.MethodGet, n.route == "/{id}" && n.method == http.MethodHead:
		return "download"
	case n.route == "/tus", n.route == "/tus/", n.route == "/tus/{id}", n.route == "/upload":
		return "upload"
	}
	return "other"
}

// notingIdentity is identify, and notes who was told apart.
func notingIdentity(identify func(*http.Request) (file.Identity, error)) func(*http.Request) (file.Identity, error) {
	return func(r *http.Request) (file.Identity, error) {
		who, err := identify(r)
		if err == nil {
			noteOf(r.Context()).kind = who.Kind
		}
		return who, err
	}
}

// noteProblem is for problem.Responder.
func noteProblem(r *http.Request, p problem.Problem) { noteOf(r.Context()).code = p.Code }

// notingRows are rows that note which file a request is about.
type notingRows struct{ *db.Remembering }

func (n notingRows) File(ctx context.Context, id file.ID) (file.Record, error) {
	rec, err := n.Remembering.File(ctx, id)
	if err == nil {
		noteOf(ctx).file = id
	}
	return rec, err
}

func (n notingRows) UploadRow(ctx context.Context, id file.ID) (*file.Upload, error) {
	u, err := n.Remembering.UploadRow(ctx, id)
	if err == nil {
		noteOf(ctx).file = id
	}
	return u, err
}

func (n notingRows) CreateUpload(ctx context.Context, u file.Upload, holder string, lease time.Duration) error {
	err := n.Remembering.CreateUpload(ctx, u, holder, lease)
	if err == nil {
		noteOf(ctx).file = u.ID
	}
	return err
}

func (n notingRows) CreateKeyedUpload(ctx context.Context, u file.Upload, holder string, lease time.Duration, key string, keep time.Duration) error {
	err := n.Remembering.CreateKeyedUpload(ctx, u, holder, lease, key, keep)
	if err == nil {
		noteOf(ctx).file = u.ID
	}
	return err
}
