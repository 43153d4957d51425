package hooks

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/tus/tusd/v2/pkg/handler"

	"holdfast/file"
)

// ReadCreation reads what the headers of a tus request say of a file that is to be
// created: all but its length.
func ReadCreation(h http.Header) (Creation, error) {
	// tusd's own reading of the header drops what it does not understand.
	header := strings.Join(h.Values("Upload-Metadata"), ",")
	pairs, err := ParseMetadata(header)
	if err != nil {
		return Creation{}, err
	}
	claim, err := ParseClaim(pairs, h.Values("Repr-Digest"))
	return Creation{Metadata: header, Name: first(pairs, "filename", "name"), Type: first(pairs, "filetype", "type"), Claim: claim}, err
}

// PreUploadCreate is PreCreate in the form in which tusd calls it; c adds what tusd does
// not know. Its error is a plain one: who assembles tusd's handler has to turn it into
// tusd's kind, or tusd would show its text to the client.
func (h *Hooks) PreUploadCreate(e handler.HookEvent, c Creation) (file.Upload, error) {
	read, err := ReadCreation(e.HTTPRequest.Header)
	if err != nil {
		return file.Upload{}, err
	}
	c.Size, c.Deferred = e.Upload.Size, e.Upload.SizeIsDeferred
	c.Metadata, c.Claim = read.Metadata, read.Claim
	// Clients of the IETF draft say it in Content-Disposition and Content-Type instead.
	c.Name = cmp.Or(read.Name, e.Upload.MetaData["filename"])
	c.Type = cmp.Or(read.Type, e.Upload.MetaData["filetype"])
	return h.PreCreate(e.Context, c)
}
