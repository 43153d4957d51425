package direct

import (
	"cmp"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"holdfast/file"
	"holdfast/reqbody"
	"holdfast/storage"
	"holdfast/upload"
)

// signRequest names the parts for which a client wants URLs.
type signRequest struct {
	Parts []partRequest `json:"parts"`
}

type partRequest struct {
	Number int64  `json:"number"`
	CRC32  string `json:"crc32"` // of the part's bytes, in base64
}

const signExample = `{"parts": [{"number": 1}, {"number": 2}]}`

// signResponse has a signed PUT for each part.
type signResponse struct {
	Parts   []signedPart `json:"parts"`
	Expires time.Time    `json:"expires"` // of the upload, which this request has extended
}

type signedPart struct {
	Number int64 `json:"number"`
	Size   int64 `json:"size"` // bytes: the Content-Length that was signed
	storage.SignedPart
}

// SignParts answers POST {id}/parts with URLs for the parts that the client names.
func (h *Handler) SignParts(w http.ResponseWriter, r *http.Request, id file.ID) {
	h.handle(w, r, func() error {
		u, err := h.findUpload(r, id)
		if err != nil {
			return err
		}
		var request signRequest
		if err := reqbody.ReadJSON(w, r, maxRequest, &request, false, signExample); err != nil {
			return err
		}
		if u.State != file.Open || u.Complete() {
			return file.Refuse(file.ErrConflict, "The upload has all its parts, and takes no more")
		}
		puts, err := request.partPuts(u)
		if err != nil {
			return err
		}
		answer := signResponse{Parts: make([]signedPart, len(puts))}
		if answer.Expires, err = h.Engine.Extend(r.Context(), id); err != nil {
			return err
		}
		answer.Expires = answer.Expires.UTC().Truncate(time.Second)
		for i, put := range puts {
			put.TTL = h.TTL
			signed, err := h.Sign(r.Context(), u.Location, put)
			if err != nil {
				return err
			}
			answer.Parts[i] = signedPart{int64(put.Number), put.Size, signed}
		}
		return h.answer(w, r, http.StatusOK, answer, nil)
	})
}

// partPuts returns the requests that are to be signed, one for each part.
func (b signRequest) partPuts(u *file.Upload) ([]storage.PartPut, error) {
	if n := len(b.Parts); n < 1 || n > maxBatch {
		return nil, file.Refuse(file.ErrInvalid, "parts must be a list of 1 to %d parts", maxBatch)
	}
	puts := make([]storage.PartPut, len(b.Parts))
	for i, p := range b.Parts {
		size := upload.SizeOfPart(u, p.Number)
		if size == 0 {
			return nil, file.Refuse(file.ErrInvalid, "number must be from 1 to %d, not %d", upload.PartCount(u), p.Number)
		}
		sum, err := base64.StdEncoding.Strict().DecodeString(p.CRC32)
		switch {
		case u.Multipart.Sums && (err != nil || len(sum) != 4):
			return nil, file.Refuse(file.ErrInvalid, "crc32 of part %d must be 4 bytes in base64", p.Number)
		case !u.Multipart.Sums && p.CRC32 != "":
			return nil, file.Refuse(file.ErrInvalid, "The upload was begun without checksum %q, or the store has none",
				crc32Name)
		}
		puts[i] = storage.PartPut{Multipart: u.Multipart, Number: int32(p.Number), Size: size, CRC32: p.CRC32}
	}
	return puts, nil
}

// statusResponse describes an upload.
type statusResponse struct {
	ID       file.ID    `json:"id"`
	State    string     `json:"state"`
	Name     string     `json:"name"`
	Type     string     `json:"type"`
	Size     int64      `json:"size"`
	PartSize int64      `json:"part_size"`
	Parts    int64      `json:"parts"`
	Sent     []sentPart `json:"sent"`
	Expires  time.Time  `json:"expires"`
	Checksum string     `json:"checksum,omitempty"`
	URL      string     `json:"public_url,omitempty"` // of the file
}

// sentPart is a part that the store has.
type sentPart struct {
	Number int32  `json:"number"`
	Size   int64  `json:"size"`
	ETag   string `json:"etag"`
	CRC32  string `json:"crc32,omitempty"`
}

// The states of an upload as clients see them.
const (
	stateOpen       = "open"
	stateCompleting = "completing"
	stateDone       = "done"
)

// Show answers GET of an upload: which parts the store has.
func (h *Handler) Show(w http.ResponseWriter, r *http.Request, id file.ID) {
	h.handle(w, r, func() error {
		u, err := h.findUpload(r, id)
		if err != nil {
			return err
		}
		s, err := h.status(w, r, u)
		if errors.Is(err, storage.ErrNoUpload) { // completed or ended meanwhile, or lost
			if u, err = h.findUpload(r, id); err != nil {
				return err
			}
			s, err = h.status(w, r, u)
		}
		switch {
		case errors.Is(err, storage.ErrNoUpload):
			return file.Refuse(file.ErrGone, "The store has lost the parts of this upload, begin a new one")
		case err != nil:
			return err
		}
		return h.answer(w, r, http.StatusOK, s, newListPartsResult(s, cmp.Or(u.ETag, `"unknown"`)))
	})
}

// status describes an upload. storage.ErrNoUpload if the store does not know an open one.
func (h *Handler) status(w http.ResponseWriter, r *http.Request, u *file.Upload) (statusResponse, error) {
	s := statusResponse{ID: u.ID, State: stateCompleting, Name: u.Name, Type: u.Type, Size: u.Size, PartSize: u.PartSize,
		Parts: upload.PartCount(u), Sent: []sentPart{}, Expires: u.Expires.UTC().Truncate(time.Second),
		Checksum: checksumOf(u)}
	switch {
	case u.State == file.Recorded:
		s.State, s.URL = stateDone, u.ID.URL(h.Base(r))
		w.Header().Set("Content-Location", s.URL)
	case u.State == file.Open && !u.Complete():
		s.State = stateOpen
		parts, err := h.Engine.ListParts(r.Context(), u)
		if err != nil {
			return s, err
		}
		for _, p := range parts {
			s.Sent = append(s.Sent, sentPart{p.Number, p.Size, p.ETag, p.CRC32})
		}
	}
	return s, nil
}
