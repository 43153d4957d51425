package resumable

import (
	"cmp"
	"mime"
	"net/http"

	"holdfast/file"
)

// isPartial reports whether a body is a part of an upload (section 6).
func isPartial(h http.Header) bool {
	mediaType, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && mediaType == partial
}

// readName reads a file's name from Content-Disposition (RFC 6266), or else from the request's path, and its type from
// Content-Type.
func readName(h http.Header, path string) (name, contentType string, err error) {
	name = path
	if v := h.Get("Content-Disposition"); v != "" {
		_, params, err := mime.ParseMediaType(v)
		if err != nil {
			return "", "", file.Refuse(file.ErrInvalid, "Content-Disposition can't be read")
		}
		name = cmp.Or(params["filename"], path)
	}
	contentType = h.Get("Content-Type")
	if contentType != "" {
		if _, _, err := mime.ParseMediaType(contentType); err != nil {
			return "", "", file.Refuse(file.ErrInvalid, "Content-Type can't be read")
		}
	}
	return name, contentType, nil
}
