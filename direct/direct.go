// Package direct lets clients send the parts of a file to the store themselves, with URLs that this service signs. The
// service says what may begin, signs each part, and alone completes: only then is there a file.
//
// Clients speak JSON. Those with "Accept: application/xml" get S3's own answers instead (InitiateMultipartUploadResult,
// ListPartsResult, CompleteMultipartUploadResult), as S3 clients in browsers expect them.
package direct

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast/access"
	"holdfast/auth"
	"holdfast/digest"
	"holdfast/file"
	"holdfast/problem"
	"holdfast/reqbody"
	"holdfast/storage"
	"holdfast/upload"
)

// Signer makes the URL of one part. storage.PartReceiver has it.
type Signer func(context.Context, file.Location, storage.PartPut) (storage.SignedPart, error)

// Options of the endpoint.
type Options struct {
	Engine  *upload.Engine
	Respond problem.Responder
	// Sign signs URLs; nil: clients can't send to the store, and every request is refused.
	Sign Signer
	// NeedsSums: each part must come with its CRC32, since the store keeps others even if they broke off.
	NeedsSums bool
	// TTL is how long a URL is valid.
	TTL time.Duration
	// Limit refuses an upload that an identity begins too soon after others.
	Limit func(*http.Request, file.Identity) error
	// Base is the URL under which the request's client sees files, without a trailing slash.
	Base func(*http.Request) string
	// WriteTimeout is the time that a client has to take an answer.
	WriteTimeout time.Duration
	// CompleteWait is how long a request waits for the completion of its upload; 0: DefaultCompleteWait.
	CompleteWait time.Duration
}

const (
	// maxRequest is the longest body of a request, in bytes. S3's list of 10,000 parts has less.
	maxRequest = 2 << 20
	// maxBatch is how many parts are signed at once.
	maxBatch = 500
	// DefaultCompleteWait is less than proxies wait for an answer.
	DefaultCompleteWait = 25 * time.Second
)

// Handler is the endpoint. Its methods expect the caller's identity in the request's context.
type Handler struct{ Options }

// New returns a Handler.
func New(o Options) *Handler { return &Handler{o} }

// handle answers a request with what serve returns.
func (h *Handler) handle(w http.ResponseWriter, r *http.Request, serve func() error) {
	err := error(nil)
	if h.Sign == nil {
		err = file.Refuse(file.ErrNotFound, "This service takes no parts for its store: send files to %s/tus/", h.Base(r))
	} else {
		err = serve()
	}
	if err != nil {
		h.setWriteDeadline(w)
		h.Respond.Write(w, r, err)
	}
}

// setWriteDeadline gives the client its time to take the answer.
func (h *Handler) setWriteDeadline(w http.ResponseWriter) {
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(h.WriteTimeout))
}

// wantsXML reports whether a client asks for S3's answers.
func wantsXML(r *http.Request) bool {
	accepted, _, _ := strings.Cut(r.Header.Get("Accept"), ",")
	kind, _, _ := strings.Cut(accepted, ";")
	switch strings.TrimSpace(kind) {
	case "application/xml", "text/xml":
		return true
	}
	return false
}

// answer sends v as JSON, or asXML if the client wants XML.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, status int, v, asXML any) error {
	var body []byte
	var err error
	contentType := "application/json"
	if asXML != nil && wantsXML(r) {
		contentType = "application/xml"
		body, err = xml.Marshal(asXML)
		body = append([]byte(xml.Header), body...)
	} else {
		var text strings.Builder
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false) // a shell script that extracts a URL sees "&", not "\u0026"
		err = e.Encode(v)
		body = []byte(text.String())
	}
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	header.Set("Vary", "Accept")
	h.setWriteDeadline(w)
	w.WriteHeader(status)
	w.Write(body)
	return nil
}

// capabilities say what the endpoint takes.
type capabilities struct {
	MaxSize  int64  `json:"max_size"`           // of a file, in bytes
	MaxBatch int    `json:"max_batch"`          // parts that are signed at once
	URLTTL   int64  `json:"url_ttl"`            // seconds that a URL is valid
	PartSize int64  `json:"part_size"`          // bytes of every part but the last
	MaxParts int64  `json:"max_parts"`          // the parts of a file that would have more are longer, by whole MiB
	Checksum string `json:"checksum,omitempty"` // that each part must come with
}

// Capabilities answers GET of the endpoint.
func (h *Handler) Capabilities(w http.ResponseWriter, r *http.Request) {
	h.handle(w, r, func() error {
		c := capabilities{h.Engine.MaxSize(), maxBatch, int64(h.TTL / time.Second), upload.PartSize(1),
			upload.MaxPlannedParts, ""}
		if h.NeedsSums {
			c.Checksum = crc32Name
		}
		return h.answer(w, r, http.StatusOK, c, c)
	})
}

// createRequest is what a client says about a new file.
type createRequest struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Size     int64  `json:"size"` // bytes
	SHA256   string `json:"sha256"`
	Checksum string `json:"checksum"` // "crc32": each part will come with its CRC32
}

const createExample = `{"name": "film.mp4", "type": "video/mp4", "size": 104857600}`

// readCreateRequest reads a createRequest from the body or, if there is none, from the query: clients that speak S3
// send no body.
func readCreateRequest(w http.ResponseWriter, r *http.Request) (c createRequest, err error) {
	query := r.URL.Query()
	if !query.Has("size") {
		return c, reqbody.ReadJSON(w, r, maxRequest, &c, false, createExample)
	}
	c = createRequest{Name: query.Get("name"), Type: query.Get("type"), SHA256: query.Get("sha256"),
		Checksum: query.Get("checksum")}
	if c.Size, err = strconv.ParseInt(query.Get("size"), 10, 64); err != nil {
		err = file.Refuse(file.ErrInvalid, "size must be a number of bytes")
	}
	return c, err
}

// uploadCreation checks the request, and returns it as the engine takes it.
func (c createRequest) uploadCreation() (upload.Creation, error) {
	b := upload.Creation{Size: c.Size, Name: c.Name, Type: c.Type, Sums: c.Checksum != ""}
	if c.SHA256 != "" {
		if b.Claim = digest.ParseSum(c.SHA256); b.Claim == nil {
			return b, file.Refuse(file.ErrInvalid, "sha256 must be 64 hexadecimal digits, or 32 bytes in base64")
		}
	}
	if c.Checksum != "" && c.Checksum != crc32Name {
		return b, file.Refuse(file.ErrInvalid, "checksum must be %q, or left out", crc32Name)
	}
	return b, nil
}

// crc32Name is how clients say that they send a CRC32 with each part.
const crc32Name = "crc32"

// createResponse is the answer to a createRequest.
type createResponse struct {
	ID       file.ID   `json:"id"`
	PartSize int64     `json:"part_size"` // bytes of every part but the last
	Parts    int64     `json:"parts"`
	Expires  time.Time `json:"expires"`
	Checksum string    `json:"checksum,omitempty"` // that each part must come with
}

func checksumOf(u *file.Upload) string {
	if u.Multipart.Sums {
		return crc32Name
	}
	return ""
}

// Create answers POST of the endpoint: it begins an upload.
func (h *Handler) Create(w http.ResponseWriter, r *http.Request) {
	h.handle(w, r, func() error {
		request, err := readCreateRequest(w, r)
		if err != nil {
			return err
		}
		c, err := request.uploadCreation()
		if err != nil {
			return err
		}
		if h.NeedsSums && !c.Sums {
			return file.Refuse(file.ErrInvalid, "checksum must be %q: this store keeps parts that broke off, so each part must "+
				"come with its CRC32", crc32Name)
		}
		who, _ := auth.FromContext(r.Context())
		if err := h.Limit(r, who); err != nil {
			return err
		}
		u, err := h.Engine.BeginDirect(r.Context(), c)
		if err != nil {
			return err
		}
		w.Header().Set("Location", h.Base(r)+"/direct/"+u.ID.Escaped())
		return h.answer(w, r, http.StatusCreated,
			createResponse{u.ID, u.PartSize, upload.PartCount(u), u.Expires.UTC().Truncate(time.Second), checksumOf(u)},
			initiateResult{Bucket: bucketName, Key: u.ID, UploadID: u.ID})
	})
}

// findUpload reads the row of an upload that the caller may change.
func (h *Handler) findUpload(r *http.Request, id file.ID) (*file.Upload, error) {
	u, err := h.Engine.DirectRow(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if u.State == file.Deleted && !u.Gone() {
		return nil, file.NotFound(id)
	}
	who, _ := auth.FromContext(r.Context())
	if err := access.Upload(who, u); err != nil {
		return nil, err
	}
	if u.Gone() {
		return nil, upload.Expired(u)
	}
	return u, nil
}

// Cancel answers DELETE of an upload: the client gives it up.
func (h *Handler) Cancel(w http.ResponseWriter, r *http.Request, id file.ID) {
	h.handle(w, r, func() error {
		if _, err := h.findUpload(r, id); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(r.Context(), upload.TakeTimeout)
		defer cancel()
		s, err := h.Engine.Take(ctx, id, nil)
		if err != nil {
			return err
		}
		defer s.Close()
		if s.Upload().State == file.Recorded {
			return file.Refuse(file.ErrConflict, "The upload is a file: delete that")
		}
		if err := s.Terminate(); err != nil {
			return err
		}
		h.setWriteDeadline(w)
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
}
