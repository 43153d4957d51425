package resumable

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/dunglas/httpsfv"

	"holdfast/file"
)

// The header fields of the protocol (section 4.1). They are structured fields (RFC 9651). A field of the wrong type,
// or a negative number, is ignored as if it were not there.
const (
	uploadOffset   = "Upload-Offset"
	uploadLength   = "Upload-Length"
	uploadComplete = "Upload-Complete"
	uploadLimit    = "Upload-Limit"
	interopVersion = "Upload-Draft-Interop-Version"
)

// partial is the media type of an append (section 6).
const partial = "application/partial-upload"

// integer reads a number of bytes, or a version.
func integer(h http.Header, field string) (n int64, given bool) {
	n, ok := item(h, field).(int64)
	return n, ok && n >= 0
}

// isComplete reads Upload-Complete.
func isComplete(h http.Header) (value, given bool) {
	value, given = item(h, uploadComplete).(bool)
	return value, given
}

// errComplete refuses a body of which the client does not say whether it is the last.
var errComplete = file.Refuse(file.ErrInvalid, "Upload-Complete must be ?0 or ?1")

// item returns the bare value of an Item; nil if the field is not an Item. Parameters are ignored.
func item(h http.Header, field string) any {
	values := h.Values(field)
	if len(values) == 0 {
		return nil
	}
	i, err := httpsfv.UnmarshalItem(values)
	if err != nil {
		return nil
	}
	return i.Value
}

func formatBool(b bool) string {
	if b {
		return "?1"
	}
	return "?0"
}

// version is an interop version of the drafts (appendix B): 7 is -06 to -08, 8 is -09 to -11, 9 is -12, 10 is -13. A
// request without a version speaks the protocol of the future RFC.
type version int64

const (
	final  version = 0
	oldest version = 7
	newest version = 10
)

// tusVersions are the versions that package tus handles.
var tusVersions = [...]version{3, 4, 5, 6}

// Versions lists all supported interop versions, as a structured List.
func Versions() string {
	var all []string
	for _, v := range tusVersions {
		all = append(all, strconv.Itoa(int(v)))
	}
	for v := oldest; v <= newest; v++ {
		all = append(all, strconv.Itoa(int(v)))
	}
	return strings.Join(all, ", ")
}

// versionOf reads the version that a request speaks. handled reports whether this package handles it; the error is
// file.ErrVersion if no package does.
func versionOf(r *http.Request) (v version, handled bool, err error) {
	n, given := integer(r.Header, interopVersion)
	v = version(n)
	switch {
	case given && oldest <= v && v <= newest:
		return v, true, nil
	case r.Header.Get("Tus-Resumable") != "":
		return final, false, nil
	case given:
		for _, o := range tusVersions {
			if v == o {
				return final, false, nil
			}
		}
		return final, true, file.Refuse(file.ErrVersion, "%s %d is not supported: use one of %s, "+
			"or Tus-Resumable 1.0.0", interopVersion, n, Versions())
	case r.Header.Get(interopVersion) != "":
		return final, true, file.Refuse(file.ErrVersion, "%s must be one of %s", interopVersion, Versions())
	}
	return final, isUnversioned(r), nil
}

// isUnversioned reports whether a request without a version belongs to this protocol. HEAD, GET and DELETE of an upload
// have no field that would show it; a tus client would have sent Tus-Resumable.
func isUnversioned(r *http.Request) bool {
	switch r.Method {
	case http.MethodHead, http.MethodGet, http.MethodDelete:
		return true
	case http.MethodPatch:
		_, hasComplete := isComplete(r.Header)
		return hasComplete || isPartial(r.Header)
	default:
		_, hasComplete := isComplete(r.Header)
		return hasComplete
	}
}

// headHasComplete reports whether the answer to HEAD has Upload-Complete: ?1 as soon as all bytes are there. From
// version 10 on that would mean that the target has processed the file, after which the client must not ask again
// (section 4.1.2).
func (v version) headHasComplete() bool { return v != final && v <= 9 }
