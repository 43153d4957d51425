package tus

import (
	"net/http"
	"strconv"
	"strings"

	"holdfast/file"
)

// parseLength reads a header that holds a number of bytes: Upload-Length or Upload-Offset
// (tus 1.0.0). given says whether it is there at all. What is not one plain number is
// file.ErrInvalid; a length beyond what can be counted is file.ErrTooLarge.
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
	if v == "" || strings.Trim(v, "0123456789") != "" { // ParseInt would take a sign
		return 0, true, file.Refuse(file.ErrInvalid, "%s must be a number of bytes, not %q", name, short(v))
	}
	n, err = strconv.ParseInt(v, 10, 64)
	if err != nil {
		kind := file.ErrInvalid
		if name == "Upload-Length" {
			kind = file.ErrTooLarge
		}
		return 0, true, file.Refuse(kind, "%s %s is beyond any file", name, short(v))
	}
	return n, true, nil
}

// short is a client's text as an error shows it.
func short(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}
