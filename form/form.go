// Package form handles POST of a multipart form (RFC 7578) with one file in it, as clients of the Python file service
// send it. The file streams through the same hooks and the same engine as every upload: it is never in a temporary
// file, and takes no more memory than other uploads.
//
// # Errors
//
// file.ErrMissingField for a form without a file, file.ErrSize for an empty file, file.ErrTooLarge, file.ErrMediaType
// for a body that is not a form, file.ErrInvalid for a broken form, file.ErrSlow for a client that stops sending,
// file.ErrInFlight and file.ErrKeyReused for an Idempotency-Key. After an error the connection (HTTP/2: the stream) is
// closed, and the rest of the body is not read.
package form

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"holdfast/auth"
	"holdfast/file"
	"holdfast/problem"
	"holdfast/upload"
)

// Keys finds the upload that belongs to an identity's Idempotency-Key: file.ErrNotFound if there is none.
type Keys interface {
	Keyed(ctx context.Context, who file.Identity, key string) (*file.Upload, error)
}

// Options of the endpoint.
type Options struct {
	// Receive makes a file of body, up to io.EOF, or stores nothing. interrupt ends a body that the service can't wait
	// for. See upload.Engine.
	Receive func(ctx context.Context, c upload.Creation, body io.Reader, interrupt func()) (*file.Upload, error)
	// Whole refuses a request whose body may be a part of a form.
	Whole func(*http.Request) error
	// Fits refuses a size over the cap.
	Fits func(size int64) error
	// Limit refuses an upload if the identity has begun too many recently; nil: never.
	Limit   func(*http.Request, file.Identity) error
	Keys    Keys
	Respond problem.Responder
	// Base returns the URL under which the request's client sees files, without a trailing slash.
	Base func(*http.Request) string
	// ReadTimeout ends a request that sends no byte for this long.
	ReadTimeout time.Duration
}

// Handler is the endpoint.
type Handler struct{ Options }

// New returns a Handler.
func New(o Options) *Handler { return &Handler{o} }

// Serve stores the file in r's form for the identity in r's context.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request) {
	u, err := h.receive(w, r)
	if err != nil {
		if r.ProtoMajor < 2 { // a stream of HTTP/2 ends alone
			w.Header().Set("Connection", "close")
		}
		h.Respond.Write(w, r, err)
		return
	}
	body, err := json.Marshal(struct {
		URL string  `json:"public_url"`
		ID  file.ID `json:"file_id"`
	}{u.ID.URL(h.Base(r)), u.ID})
	if err != nil { // only strings: can't fail
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func (h *Handler) receive(w http.ResponseWriter, r *http.Request) (*file.Upload, error) {
	boundary, err := parseContentType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	if err := h.Whole(r); err != nil {
		return nil, err
	}
	if err := checked.Refuse(r.Header, r.Trailer); err != nil {
		return nil, err
	}
	key, err := parseKey(r.Header.Values("Idempotency-Key"))
	if err != nil {
		return nil, err
	}
	// At least this many bytes of the form are its file, so a file over the cap can be refused before it is read. The
	// exact length of the file is not known.
	if h.Fits(r.ContentLength-maxOverhead) != nil {
		return nil, h.Fits(r.ContentLength)
	}
	who, _ := auth.FromContext(r.Context())
	if h.Limit != nil {
		if err := h.Limit(r, who); err != nil {
			return nil, err
		}
	}
	s, err := newStream(w, r, h.ReadTimeout)
	if err != nil {
		return nil, err
	}
	if key != "" {
		u, err := h.Keys.Keyed(r.Context(), who, key)
		switch {
		case err == nil && u.State != file.Recorded:
			return nil, file.ErrInFlight
		case err == nil:
			return u, replay(u, s, boundary)
		case !errors.Is(err, file.ErrNotFound):
			return nil, err
		}
	}
	f, err := findFile(s, boundary)
	if err != nil {
		return nil, err
	}
	var first [1]byte // an empty file creates no upload
	if _, err := io.ReadFull(f, first[:]); errors.Is(err, io.EOF) {
		return nil, file.ErrSize
	} else if err != nil {
		return nil, err
	}
	return h.Receive(r.Context(), upload.Creation{Name: f.name, Type: f.mediaType, Claim: f.claim, Key: key},
		io.MultiReader(bytes.NewReader(first[:]), f), s.body.Interrupt)
}

// replay reads a form whose key already belongs to the file u, and returns an error if the form has another file.
func replay(u *file.Upload, s *stream, boundary string) error {
	f, err := findFile(s, boundary)
	if err != nil {
		return err
	}
	want, err := file.Digest(u.HashState)
	if err != nil {
		return err
	}
	got := sha256.New()
	n, err := io.Copy(got, io.LimitReader(f, u.Size+1))
	if err != nil {
		return err
	}
	if sum := got.Sum(nil); n == u.Size && f.claim != nil && !bytes.Equal(sum, f.claim) {
		return file.ErrDigest
	}
	if n != u.Size || !bytes.Equal(got.Sum(nil), want) || file.CleanName(f.name) != u.Name {
		return file.ErrKeyReused
	}
	return nil
}

// maxKey is the longest Idempotency-Key, in bytes.
const maxKey = 255

// parseKey reads the Idempotency-Key header; empty if there is none.
func parseKey(values []string) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	good := len(values) == 1 && key != "" && len(key) <= maxKey
	for _, c := range []byte(key) {
		good = good && c >= ' ' && c <= '~'
	}
	if !good {
		return "", file.Refuse(file.ErrInvalid, "Idempotency-Key must be 1 to %d characters of plain ASCII, given once",
			maxKey)
	}
	return key, nil
}
