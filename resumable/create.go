package resumable

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"

	"holdfast/digest"
	"holdfast/file"
	"holdfast/reqbody"
	"holdfast/upload"
)

// Create handles a request that sends a file to an address other than the upload endpoint; name may be empty. A client
// that speaks a version of the protocol gets an upload that it can resume (draft -12, 10.1.1). For any other client
// the body is the whole file.
func (h *Handler) Create(w http.ResponseWriter, r *http.Request, name string) {
	v, handled, unknown := versionOf(r)
	complete, hasComplete := isComplete(r.Header)
	if !handled && isOldDraft(r.Header) {
		h.Tus.ServeHTTP(w, asUploadRequest(r, name))
		return
	}
	h.newExchange(w, r, v).run(func(x *exchange) error {
		switch err := x.identify(); {
		case err != nil:
			return err
		case len(r.Header.Values("If-Match")) > 0: // no file has this name yet: each request creates a new one
			return file.ErrPrecondition
		case unknown != nil && complete:
			// A server that does not know this version ignores its fields and takes the body as the whole file. So do
			// we.
			w.Header().Set(interopVersion, Versions())
			return x.receivePlain(name)
		case !hasComplete:
			return x.receivePlain(name)
		case unknown != nil:
			return unknown
		}
		return x.create(name)
	})
}

// Discover handles OPTIONS at an address where Create accepts files (section 4.1.4).
func (h *Handler) Discover(w http.ResponseWriter, _ *http.Request) {
	h.Announce(w.Header())
	w.WriteHeader(http.StatusNoContent)
}

// isOldDraft reports whether a creation speaks an interop version that package tus handles.
func isOldDraft(h http.Header) bool {
	return h.Get("Tus-Resumable") == "" && h.Get(interopVersion) != "" &&
		(h.Get(uploadComplete) != "" || h.Get("Upload-Incomplete") != "")
}

// asUploadRequest returns a creation in the form in which it would be sent to the upload endpoint.
func asUploadRequest(r *http.Request, name string) *http.Request {
	r = r.WithContext(r.Context())
	r.Method, r.URL, r.Header = http.MethodPost, &url.URL{Path: "/"}, r.Header.Clone()
	if name != "" && r.Header.Get("Content-Disposition") == "" {
		r.Header.Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": name}))
	}
	return r
}

// receivePlain receives a file from a client that does not speak this protocol. It can't be resumed: after an error
// nothing is kept.
func (x *exchange) receivePlain(path string) error {
	if err := x.checkPlainBody(); err != nil {
		return err
	}
	c := upload.Creation{Size: max(0, x.r.ContentLength)}
	var err error
	if c.Name, c.Type, err = readName(x.r.Header, path); err != nil {
		return err
	}
	if c.Claim, err = digest.Parse(x.r.Header, "Repr-Digest"); err != nil {
		return err
	}
	check, err := readContentDigest(x.r)
	if err != nil {
		return err
	}
	if err := x.h.Limit(x.r, x.who); err != nil {
		return err
	}
	x.upload, err = x.h.Engine.Receive(x.r.Context(), c, plainBody{x, check}, x.body.Interrupt)
	if err != nil {
		return err
	}
	return x.answerFile()
}

// checkPlainBody refuses a request whose body is not the whole file, and one that asks for something unsupported.
func (x *exchange) checkPlainBody() error {
	if err := x.h.CheckWhole(x.r); err != nil {
		return err
	}
	if err := reqbody.RefuseKey(x.r.Header); err != nil {
		return err
	}
	switch mediaType, _, _ := mime.ParseMediaType(x.r.Header.Get("Content-Type")); {
	case mediaType == partial || mediaType == "application/offset+octet-stream":
		return file.Refuse(file.ErrMediaType,
			"A body of type %s is a part of an upload: send it by PATCH to the upload's URL", mediaType)
	case strings.HasPrefix(mediaType, "multipart/"):
		return file.Refuse(file.ErrMediaType, "Send a form by POST to %s/upload", x.h.Base(x.r))
	}
	return reqbody.CheckLength(x.r)
}

// plainBody is the body of a plain upload. It must not break off.
type plainBody struct {
	x     *exchange
	check upload.Check // nil: no checksum
}

func (w plainBody) Read(p []byte) (int, error) {
	n, err := w.x.body.Read(p)
	if w.check != nil {
		_, _ = w.check.Write(p[:n]) // a hash returns no errors
	}
	switch {
	case err == nil || errors.Is(err, file.ErrInvalid) || w.x.body.IsInterrupted():
		return n, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, file.ErrSlow
	case w.x.body.Cut():
		return n, file.Refuse(file.ErrInvalid, "The body broke off")
	}
	if w.check != nil {
		if err := w.check.Verify(); err != nil {
			return n, err
		}
	}
	return n, io.EOF
}
