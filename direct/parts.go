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

// batch are the parts for which a client wants URLs.
type batch struct {
	Parts []wanted `json:"parts"`
}

type wanted struct {
	Number int64  `json:"number"`
	CRC32  string `json:"crc32"` // of the part's bytes, in base64
}

const batchExample = `{"parts": [{"number": 1}, {"number": 2}]}`

// signedBatch is the answer: a PUT for each part.
type signedBatch struct {
	Parts   []signedPart `json:"parts"`
	Expires time.Time    `json:"expires"` // of the upload, which this request has extended
}

type signedPart struct {
	Number int64 `json:"number"`
	Size   int64 `json:"size"` // bytes: the Content-Length that was signed
	storage.SignedPart
}

// SignParts answers POST of an upload's parts with URLs for them.
func (h *Handler) SignParts(w http.ResponseWriter, r *http.Request, id file.ID) {
	h.handle(w, r, func() error {
		u, err := h.find(r, id)
		if err != nil {
			return err
		}
		var asked batch
		if err := reqbody.ReadJSON(w, r, maxRequest, &asked, false, batchExample); err != nil {
			return err
		}
		puts, err := asked.of(u)
		if err != nil {
			return err
		}
		if u.State != file.Open || u.Complete() {
			return file.Refuse(file.ErrConflict, "The upload has all its parts, and takes no more")
		}
		answer := signedBatch{Parts: make([]signedPart, len(puts))}
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

// of says what of an upload is to be signed.
func (b batch) of(u *file.Upload) ([]storage.PartPut, error) {
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

// state is the answer to a question about an upload.
type state struct {
	ID       file.ID   `json:"id"`
	State    string    `json:"state"`
	Name     string    `json:"name"`
	Type     string    `json:"type"`
	Size     int64     `json:"size"`
	PartSize int64     `json:"part_size"`
	Parts    int64     `json:"parts"`
	Sent     []sent    `json:"sent"`
	Expires  time.Time `json:"expires"`
	Checksum string    `json:"checksum,omitempty"`
	URL      string    `json:"public_url,omitempty"` // of the file
}

// sent is a part that the store has.
type sent struct {
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
		u, err := h.find(r, id)
		if err != nil {
			return err
		}
		s, err := h.describe(w, r, u)
		if errors.Is(err, storage.ErrNoUpload) { // completed or ended meanwhile, or lost
			if u, err = h.find(r, id); err != nil {
				return err
			}
			s, err = h.describe(w, r, u)
		}
		switch {
		case errors.Is(err, storage.ErrNoUpload):
			return file.Refuse(file.ErrGone, "The store has lost the parts of this upload, begin a new one")
		case err != nil:
			return err
		}
		return h.answer(w, r, http.StatusOK, s, listed(s, cmp.Or(u.ETag, `"unknown"`)))
	})
}

// describe is the state of an upload. storage.ErrNoUpload if the store does not know an open one.
func (h *Handler) describe(w http.ResponseWriter, r *http.Request, u *file.Upload) (state, error) {
	s := state{ID: u.ID, State: stateCompleting, Name: u.Name, Type: u.Type, Size: u.Size, PartSize: u.PartSize,
		Parts: upload.PartCount(u), Sent: []sent{}, Expires: u.Expires.UTC().Truncate(time.Second), Checksum: checksumOf(u)}
	switch {
	case u.State == file.Recorded:
		s.State, s.URL = stateDone, h.fileURL(r, u.ID)
		w.Header().Set("Content-Location", s.URL)
	case u.State == file.Open && !u.Complete():
		s.State = stateOpen
		parts, err := h.Engine.SentParts(r.Context(), u)
		if err != nil {
			return s, err
		}
		for _, p := range parts {
			s.Sent = append(s.Sent, sent{p.Number, p.Size, p.ETag, p.CRC32})
		}
	}
	return s, nil
}

func (h *Handler) fileURL(r *http.Request, id file.ID) string { return h.Base(r) + "/" + id.Escaped() }
