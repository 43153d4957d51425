package resumable

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"holdfast/file"
)

func (x *exchange) location() string { return x.h.Base(x.r) + "/tus/" + x.upload.ID.Escaped() }

func (x *exchange) fileURL() string { return x.upload.ID.URL(x.h.Base(x.r)) }

// limits returns the Upload-Limit field (section 4.1.4). max-age of an existing upload is the time it has left.
func (x *exchange) limits() string {
	u := x.upload
	if u == nil || u.Expires.IsZero() || u.Done() {
		return x.h.limits(x.h.MaxAge)
	}
	return x.h.limits(time.Until(u.Expires))
}

// writeHeader sends the header of the final answer. The client's time for reading the answer starts here.
func (x *exchange) writeHeader(status int) {
	http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(x.h.ReadTimeout))
	x.w.WriteHeader(status)
}

// refuse answers with an error.
func (x *exchange) refuse(err error) {
	h := x.w.Header()
	for _, field := range []string{"Location", "Content-Location", uploadComplete, uploadOffset, uploadLength} {
		h.Del(field)
	}
	var offset *file.OffsetError
	switch {
	case errors.As(err, &offset): // section 4.4.2, also if the upload is complete
		h.Set(uploadComplete, formatBool(false))
		h.Set(uploadOffset, strconv.FormatInt(offset.Expected, 10))
	case errors.Is(err, file.ErrVersion):
		h.Set(interopVersion, Versions())
		h.Set("Tus-Version", "1.0.0")
	case isFileRefused(err):
		h.Set(uploadComplete, formatBool(true)) // nothing is left to append (section 4.1.2)
	case x.upload != nil && x.upload.State == file.Open:
		x.addUploadState(err)
	}
	if errors.Is(err, file.ErrTooLarge) {
		h.Set(uploadLimit, x.limits())
	}
	http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(x.h.ReadTimeout))
	x.h.Respond.Write(x.w, x.r, err)
}

// addUploadState adds to an error's answer the offset at which the client can continue, if the upload still exists.
func (x *exchange) addUploadState(err error) {
	h := x.w.Header()
	h.Set(uploadComplete, formatBool(false))
	if x.created {
		h.Set("Location", x.location())
		h.Set(uploadLimit, x.limits())
	}
	if errors.Is(err, file.ErrStopping) || errors.Is(err, file.ErrCutOff) || errors.Is(err, file.ErrBusy) {
		h.Set(uploadOffset, strconv.FormatInt(x.upload.Offset, 10))
	}
}

// isFileRefused reports whether an error is the target resource's answer to the whole file, which ended the upload.
func isFileRefused(err error) bool {
	return errors.Is(err, file.ErrDigest) || errors.Is(err, file.ErrInfected) || errors.Is(err, file.ErrUnscannable)
}

// answerFile sends the final answer: the target resource's, which every request that completes the upload gets (section
// 4.4.2).
func (x *exchange) answerFile() error {
	body, err := json.Marshal(struct {
		URL string  `json:"public_url"`
		ID  file.ID `json:"file_id"`
	}{x.fileURL(), x.upload.ID})
	if err != nil {
		return err
	}
	h := x.w.Header()
	h.Set("Location", x.fileURL())
	h.Set("Content-Location", x.fileURL())
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	if x.complete {
		h.Set(uploadComplete, formatBool(true))
		h.Set(uploadOffset, strconv.FormatInt(x.upload.Offset, 10))
	}
	x.setDigest(x.upload)
	x.writeHeader(http.StatusCreated)
	x.w.Write(body)
	return nil
}
