package resumable

import (
	"net/http"
	"slices"

	"holdfast/file"
)

// errPiece refuses a body behind which more follows, or may.
var errPiece = file.Refuse(file.ErrInvalid, "The body has to be whole here, and the request does not say so: send "+
	"Upload-Complete: ?1 (in version 3 Upload-Incomplete: ?0), or no field of resumable uploads")

// CheckWhole refuses a request whose body may be a part of a file, or of a form with one: it has a field that only
// parts have, or its client speaks a version of the protocol and does not say clearly that this is all.
func (h *Handler) CheckWhole(r *http.Request) error {
	whole, err := saysWhole(r)
	if err != nil {
		return err
	}
	length, _ := integer(r.Header, uploadLength)
	for _, field := range []string{uploadOffset, uploadLength, "Upload-Defer-Length", "Upload-Concat"} {
		isItsOwn := field == uploadLength && whole && length == r.ContentLength
		if r.Header.Get(field) != "" && !isItsOwn {
			return file.Refuse(file.ErrInvalid, "%s is not for a body that is sent whole: create a tus upload at %s/tus/",
				field, h.Base(r))
		}
	}
	if r.Header.Get("Content-Range") != "" { // RFC 9110, 14.4
		return file.Refuse(file.ErrInvalid,
			"Content-Range is not supported for uploads: send the whole file, or a resumable upload")
	}
	return nil
}

// saysWhole reports whether a request says that its body is all (section 4.1.2). A client that speaks no version need
// not say it; any other that does not is refused.
func saysWhole(r *http.Request) (bool, error) {
	v, _, _ := versionOf(r)
	n, _ := integer(r.Header, interopVersion)
	incomplete := r.Header.Values("Upload-Incomplete")
	complete, valid := isComplete(r.Header)
	switch speaks := v != final || slices.Contains(tusVersions[:], version(n)); {
	case len(incomplete) > 0 && (n != 3 || r.Header.Get("Tus-Resumable") != ""):
		return false, file.Refuse(file.ErrInvalid, "Upload-Incomplete needs %s: 3, and no Tus-Resumable", interopVersion)
	case len(incomplete) > 0 && !slices.Equal(incomplete, []string{"?0"}), valid && !complete:
		return false, errPiece
	case len(incomplete) == 0 && !valid && (speaks || len(r.Header.Values(uploadComplete)) > 0):
		return false, errComplete
	}
	return complete || len(incomplete) > 0, nil
}
