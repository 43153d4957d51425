package download

import (
	"net/http"

	"holdfast/digest"
	"holdfast/file"
)

// setDigest sends the SHA-256 of the whole file, also if the answer has only a part of it (Repr-Digest: RFC 9530, 3),
// unless the client excludes SHA-256. A client that asks only for other algorithms gets SHA-256, too, as the RFC
// allows.
func setDigest(w http.ResponseWriter, r *http.Request, rec file.Record) {
	if len(rec.SHA256) > 0 && !digest.Unwanted(r.Header.Values("Want-Repr-Digest")) {
		w.Header().Set("Repr-Digest", digest.Format(rec.SHA256))
	}
}
