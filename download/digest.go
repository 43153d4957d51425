package download

import (
	"encoding/base64"
	"net/http"

	"github.com/dunglas/httpsfv"

	"holdfast/file"
)

// setDigest sends the SHA-256 of the whole file, of which an answer may be a part
// (Repr-Digest: RFC 9530, 3), unless the client says that it won't have that one
// (Want-Repr-Digest: RFC 9530, 4). A wish for other algorithms only is answered with the
// one there is, as the RFC allows; a wish that can't be read is none.
func setDigest(w http.ResponseWriter, r *http.Request, rec file.Record) {
	if len(rec.SHA256) == 0 || digestUnwanted(r.Header.Values("Want-Repr-Digest")) {
		return
	}
	w.Header().Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(rec.SHA256)+":")
}

// digestUnwanted says whether the preference for sha-256 is 0, "not acceptable".
func digestUnwanted(want []string) bool {
	if len(want) == 0 {
		return false
	}
	wishes, err := httpsfv.UnmarshalDictionary(want)
	if err != nil {
		return false
	}
	wish, ok := wishes.Get("sha-256")
	if !ok {
		return false
	}
	item, ok := wish.(httpsfv.Item)
	return ok && item.Value == int64(0)
}
