package download

import (
	"net/http"

	"holdfast/digest"
	"holdfast/file"
)

// setDigest sends the SHA-256 of the whole file, of which an answer may be a part (Repr-Digest:
// RFC 9530, 3), unless the client says that it won't have that one. A wish for other algorithms
// only is answered with the one there is, as the RFC allows.
func setDigest(w http.ResponseWriter, r *http.Request, rec file.Record) {
	if len(rec.SHA256) > 0 && !digest.Unwanted(r.Header.Values("Want-Repr-Digest")) {
		w.Header().Set("Repr-Digest", digest.Format(rec.SHA256))
	}
}
