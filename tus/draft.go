package tus

import (
	"mime"
	"net/http"
	"slices"
	"strconv"

	"holdfast/file"
	"holdfast/reqbody"
)

// draft is the interop version of the IETF's resumable upload draft that a request speaks (3 is draft -01, 6 is -04
// and -05); empty for tus 1.0.0. tusd's handler implements the draft; this file does the checks that it leaves out.
type draft string

func draftOf(r *http.Request) draft {
	if v := r.Header.Get(interop); slices.Contains([]string{"3", "4", "5", "6"}, v) {
		return draft(v)
	}
	return ""
}

// interop is the header in which a client sends its interop version.
const interop = "Upload-Draft-Interop-Version"

// unknownVersion refuses a request whose protocol version is not supported here.
func unknownVersion(r *http.Request) error {
	if v := r.Header.Get(interop); v != "" {
		return file.Refuse(file.ErrVersion,
			"%s %s is not supported: use one of 3, 4, 5 and 6, or Tus-Resumable 1.0.0", interop, short(v))
	}
	return errVersion()
}

// errVersion is the refusal of a request of tus in another version.
func errVersion() error { return file.Refuse(file.ErrVersion, "Tus-Resumable must be 1.0.0") }

// isLastBody reports whether the client says that the upload ends with this body.
func (d draft) isLastBody(r *http.Request) bool {
	return d != "" && r.Header.Get(d.completeField()) == d.completeValue(true)
}

// completeField returns the name of the field that says whether an upload is complete.
func (d draft) completeField() string {
	if d == "3" {
		return "Upload-Incomplete"
	}
	return "Upload-Complete"
}

// completeValue returns that field's value.
func (d draft) completeValue(complete bool) string {
	if complete != (d == "3") {
		return "?1"
	}
	return "?0"
}

// setComplete adds to an answer whether the upload is complete (drafts -01 to -05, Upload Creation and Upload Append).
func (d draft) setComplete(h http.Header, complete bool) {
	h.Set(d.completeField(), d.completeValue(complete))
}

// checkHeaders refuses requests that tusd would answer with a server error, and those that the drafts forbid.
func (d draft) checkHeaders(r *http.Request) error {
	switch {
	case d == "":
		return nil
	case r.Method == http.MethodHead, r.Method == http.MethodDelete:
		return d.checkBare(r)
	case r.Method != http.MethodPost && r.Method != http.MethodPatch:
		return nil
	}
	if err := d.checkComplete(r); err != nil || r.Method == http.MethodPatch {
		return err
	}
	for _, name := range []string{"Content-Type", "Content-Disposition"} {
		if v := r.Header.Get(name); v != "" {
			if _, _, err := mime.ParseMediaType(v); err != nil {
				return file.Refuse(file.ErrInvalid, "%s can't be read", name)
			}
		}
	}
	return nil
}

// checkComplete refuses a body if the client does not say clearly whether the upload ends with it, and a last body
// whose own end nothing tells. A missing field says that more bytes follow, as tusd has it.
func (d draft) checkComplete(r *http.Request) error {
	field := d.completeField()
	values := r.Header.Values(field)
	if len(values) > 1 || len(values) == 1 && values[0] != "?0" && values[0] != "?1" {
		return file.Refuse(file.ErrInvalid, "%s must be ?0 or ?1", field)
	}
	if d.isLastBody(r) {
		return reqbody.CheckLength(r)
	}
	return nil
}

// checkBare refuses HEAD and DELETE with fields of an upload's bytes (drafts -01 to -05, Offset Retrieval and Upload
// Cancellation).
func (d draft) checkBare(r *http.Request) error {
	fields := []string{"Upload-Offset", d.completeField()}
	if d == "6" && r.Method == http.MethodHead {
		fields = append(fields, "Upload-Length")
	}
	for _, name := range fields {
		if len(r.Header.Values(name)) > 0 {
			return file.Refuse(file.ErrInvalid, "%s must not have %s", r.Method, name)
		}
	}
	return nil
}

// status returns the status of a successful answer. tusd answers PATCH as tus 1.0.0 does, with 204 (drafts -01 to -05,
// Upload Append).
func (d draft) status(r *http.Request, status int) int {
	if d != "" && r.Method == http.MethodPatch && status == http.StatusNoContent {
		return http.StatusCreated
	}
	return status
}

// checkLength refuses a last body that does not end where the upload ends: its client would believe that the upload is
// complete.
func (d draft) checkLength(r *http.Request, u *file.Upload) error {
	if r.ContentLength < 0 {
		return nil // see checkEnd
	}
	after := *u
	after.Offset += r.ContentLength
	return d.checkEnd(r, &after)
}

// checkEnd is checkLength for a body whose length is known only at its end.
func (d draft) checkEnd(r *http.Request, u *file.Upload) error {
	if !d.isLastBody(r) || u.Deferred || u.Offset == u.Size {
		return nil
	}
	return file.Refuse(file.ErrInvalid, "The upload would be complete at %d bytes, but its length is %d", u.Offset, u.Size)
}

// limits returns the draft's Upload-Limit header.
func (d draft) limits(maxSize int64) string {
	return "min-size=0,max-size=" + strconv.FormatInt(maxSize, 10)
}
