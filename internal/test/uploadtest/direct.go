package uploadtest

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"holdfast/auth"
	"holdfast/direct"
	"holdfast/file"
	"holdfast/limit"
	"holdfast/problem"
	"holdfast/upload"
)

// mountDirect adds the endpoint of direct uploads, as package edge does.
func (w *World) mountDirect(mux *http.ServeMux, engine *upload.Engine, quiet *slog.Logger) {
	o := direct.Options{Engine: engine, Respond: problem.Responder{Log: quiet}, TTL: cmp.Or(w.URLTTL, time.Minute),
		Limit: (*limit.Limits)(nil).Upload, Base: func(*http.Request) string { return w.URL + "/files" },
		WriteTimeout: time.Minute, CompleteWait: w.Wait}
	if w.Parts != nil {
		o.Sign = w.Parts.PartSigner("")
	}
	h := direct.New(o)
	with := func(next func(http.ResponseWriter, *http.Request, file.ID)) http.HandlerFunc {
		return func(rw http.ResponseWriter, r *http.Request) {
			r, _, err := auth.Enter(r, w.identify)
			if err != nil {
				o.Respond.Write(rw, r, err)
				return
			}
			id, err := file.ParseID(cmp.Or(r.PathValue("id"), "none"))
			if err != nil {
				o.Respond.Write(rw, r, err)
				return
			}
			next(rw, r, id)
		}
	}
	mux.HandleFunc("GET /files/direct/{$}", h.Capabilities)
	mux.HandleFunc("POST /files/direct/{$}",
		with(func(rw http.ResponseWriter, r *http.Request, _ file.ID) { h.Create(rw, r) }))
	mux.HandleFunc("GET /files/direct/{id}", with(h.Show))
	mux.HandleFunc("DELETE /files/direct/{id}", with(h.Cancel))
	mux.HandleFunc("POST /files/direct/{id}/parts", with(h.SignParts))
	mux.HandleFunc("POST /files/direct/{id}/complete", with(h.Complete))
}

func (o objectsUnderFault) Parts(ctx context.Context, at file.Location, m file.Multipart, after int32) (all []file.Part,
	err error) {
	ctx = o.outlast(ctx)
	err = o.do("Parts", file.ErrStorageRead, func() (err error) {
		all, err = o.Objects.Parts(ctx, at, m, after)
		return
	})
	return all, err
}

func (r rowsUnderFault) Extend(ctx context.Context, id file.ID) (t time.Time, err error) {
	ctx = r.outlast(ctx)
	err = r.sql("Extend", func() (err error) { t, err = r.Rows.Extend(ctx, id); return })
	return
}

func (r rowsUnderFault) SetSum(ctx context.Context, u *file.Upload, sum []byte) error {
	ctx = r.outlast(ctx)
	return r.sql("SetSum", func() error { return r.Rows.SetSum(ctx, u, sum) })
}

func (r rowsUnderFault) Refusal(ctx context.Context, id file.ID) (reason string, err error) {
	ctx = r.outlast(ctx)
	err = r.sql("Refusal", func() (err error) { reason, err = r.Rows.Refusal(ctx, id); return })
	return reason, err
}
