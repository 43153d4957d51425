package direct

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"holdfast/access"
	"holdfast/auth"
	"holdfast/digest"
	"holdfast/file"
	"holdfast/reqbody"
	"holdfast/storage"
	"holdfast/upload"
)

// completeRequest is the body of a completion: the parts that the client has sent. It may be empty.
type completeRequest struct {
	Parts []completedPart `json:"parts" xml:"Part"`
}

type completedPart struct {
	Number int64  `json:"number" xml:"PartNumber"`
	ETag   string `json:"etag" xml:"ETag"`
}

const completeExample = `{"parts": [{"number": 1, "etag": "\"...\""}]}, or nothing`

// readCompleteRequest reads a completeRequest, as JSON or as S3's CompleteMultipartUpload.
func readCompleteRequest(w http.ResponseWriter, r *http.Request) (n completeRequest, err error) {
	if kind := r.Header.Get("Content-Type"); !strings.Contains(kind, "xml") {
		return n, reqbody.ReadJSON(w, r, maxRequest, &n, true, completeExample)
	}
	err = xml.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&n)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, file.Refuse(file.ErrInvalid, "want S3's CompleteMultipartUpload")
	}
	return n, auth.Again(r.Context(), auth.Moment)
}

// check compares the parts that a client names with those that the store has.
func (n completeRequest) check(parts []file.Part) error {
	has := make(map[int64]string, len(parts))
	for _, p := range parts {
		has[int64(p.Number)] = bareTag(p.ETag)
	}
	for _, p := range n.Parts {
		if tag, there := has[p.Number]; !there || tag != bareTag(p.ETag) {
			return file.Refuse(file.ErrParts, "The store has no part %d with the ETag %.100s", p.Number, p.ETag)
		}
	}
	return nil
}

// bareTag is a tag without its quotation marks, which some clients leave out.
func bareTag(tag string) string { return strings.Trim(tag, `"`) }

// fileResponse is the answer for a file, the same as for a form.
type fileResponse struct {
	URL string  `json:"public_url"`
	ID  file.ID `json:"file_id"`
}

// pendingResponse is the answer for an upload whose completion takes longer than the request waits.
type pendingResponse struct {
	ID    file.ID `json:"id"`
	State string  `json:"state"`
}

// Complete answers POST {id}/complete: the parts become a file. A client that lost the answer asks again, and gets the
// same one.
func (h *Handler) Complete(w http.ResponseWriter, r *http.Request, id file.ID) {
	h.handle(w, r, func() error {
		u, err := h.findUpload(r, id)
		if errors.Is(err, file.ErrNotFound) {
			return h.whyEnded(r, id, err)
		}
		if err != nil {
			return err
		}
		n, err := readCompleteRequest(w, r)
		if err != nil {
			return err
		}
		if len(n.Parts) > 0 && u.State == file.Open && !u.Complete() {
			parts, err := h.Engine.ListParts(r.Context(), u)
			if err == nil {
				err = n.check(parts)
			}
			if err != nil && !errors.Is(err, storage.ErrNoUpload) { // completed meanwhile, or lost: which the engine finds out
				return err
			}
		}
		ctx, cancel := context.WithTimeout(r.Context(), cmp.Or(h.CompleteWait, DefaultCompleteWait))
		defer cancel()
		if u, err = h.Engine.CompleteDirect(ctx, id); err != nil {
			return err
		}
		return h.writeCompletion(w, r, u)
	})
}

// whyEnded is the error for an upload that is not there: for its creator, why its content was refused.
func (h *Handler) whyEnded(r *http.Request, id file.ID, notFound error) error {
	u, err := h.Engine.DirectRow(r.Context(), id)
	if err != nil {
		return err
	}
	who, _ := auth.FromContext(r.Context())
	if access.Upload(who, u) != nil {
		return notFound
	}
	return h.Engine.Ended(r.Context(), id)
}

func (h *Handler) writeCompletion(w http.ResponseWriter, r *http.Request, u *file.Upload) error {
	if u.State != file.Recorded {
		if wantsXML(r) { // S3 has no such answer; its clients try again after a 503
			return &file.Later{Kind: file.ErrUnavailable, After: time.Second}
		}
		w.Header().Set("Retry-After", "1")
		return h.answer(w, r, http.StatusAccepted, pendingResponse{u.ID, stateCompleting}, nil)
	}
	sum, err := upload.Sum(u)
	if err != nil {
		return err
	}
	if sum != nil {
		w.Header().Set("Repr-Digest", digest.Format(sum))
	}
	url := u.ID.URL(h.Base(r))
	w.Header().Set("Location", url)
	w.Header().Set("Content-Location", url)
	return h.answer(w, r, http.StatusCreated, fileResponse{url, u.ID},
		completeResult{Location: url, Bucket: bucketName, Key: u.ID, ETag: u.ETag})
}
