package tus

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"holdfast/digest"
	"holdfast/file"
	"holdfast/reqbody"
)

// offsetMediaType is the Content-Type of a PATCH (tus 1.0.0, PATCH).
const offsetMediaType = "application/offset+octet-stream"

// parseLength parses a header that holds a number of bytes: Upload-Length or Upload-Offset (tus 1.0.0). given reports
// whether the header is present. Anything but one plain decimal number is file.ErrInvalid; a length that does not fit
// an int64 is file.ErrTooLarge, such an offset file.ErrInvalid.
func parseLength(h http.Header, name string) (n int64, given bool, err error) {
	values := h.Values(name)
	switch len(values) {
	case 0:
		return 0, false, nil
	case 1:
	default:
		return 0, true, file.Refuse(file.ErrInvalid, "%s is given twice", name)
	}
	v := values[0]
	if v == "" || strings.Trim(v, "0123456789") != "" { // ParseInt would accept a sign
		return 0, true, file.Refuse(file.ErrInvalid, "%s must be a number of bytes, not %q", name, short(v))
	}
	n, err = strconv.ParseInt(v, 10, 64)
	if err != nil {
		kind := file.ErrInvalid
		if name == "Upload-Length" {
			kind = file.ErrTooLarge
		}
		return 0, true, file.Refuse(kind, "%s %s is larger than any file", name, short(v))
	}
	return n, true, nil
}

// short returns a client's text, shortened for an error message.
func short(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// checked returns the digests that are compared here: only a creation's metadata are read.
func checked(method string) digest.Checked {
	c := digest.Checked{Headers: []string{"Upload-Checksum", "Repr-Digest"}, Trailers: []string{"Upload-Checksum"}}
	if method == http.MethodPost {
		c.Headers = append(c.Headers, digest.Metadata)
	}
	return c
}

// readHeaders refuses headers that tusd would ignore or misread, and reads those that tusd does not know.
func (x *exchange) readHeaders(r *http.Request) (err error) {
	switch r.Method {
	case http.MethodGet: // a browser may come here, without the header
		return nil
	case http.MethodHead:
		// Clients may ask for the offset without it, but not by a version that is not spoken here.
		if v := r.Header.Get("Tus-Resumable"); x.draft == "" && v != "" && v != "1.0.0" {
			return unknownVersion(r)
		}
		return x.draft.checkHeaders(r)
	}
	if x.draft == "" && r.Header.Get("Tus-Resumable") != "1.0.0" {
		return unknownVersion(r)
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && mediaType == offsetMediaType {
		r.Header.Set("Content-Type", offsetMediaType) // tusd compares it byte by byte; RFC 9110, 8.3.1, ignores case
	}
	if r.Method == http.MethodPatch || r.Header.Get("Content-Type") == offsetMediaType {
		if err := reqbody.CheckLength(r); err != nil {
			return err
		}
	}
	if r.Method == http.MethodPost {
		if err := reqbody.RefuseKey(r.Header); err != nil {
			return err
		}
	}
	for _, name := range []string{"Upload-Length", "Upload-Offset"} {
		if _, _, err := parseLength(r.Header, name); err != nil {
			return err
		}
	}
	if err := x.draft.checkHeaders(r); err != nil {
		return err
	}
	if r.Method == http.MethodPost && x.draft == "" {
		if x.partial, x.sources, err = parseConcat(r.Header); err != nil {
			return err
		}
	}
	if err := checked(r.Method).Refuse(r.Header, r.Trailer); err != nil {
		return err
	}
	if x.check, err = readChecksum(r); err != nil || x.check == nil {
		return err
	}
	length, given, _ := parseLength(r.Header, "Upload-Length")
	isEmpty := given && length == 0 // readNothing compares it
	if r.Method == http.MethodPost && x.draft == "" && r.Header.Get("Content-Type") != offsetMediaType && !isEmpty {
		return x.check.Verify() // no bytes come, so the engine would not compare anything
	}
	return nil
}
