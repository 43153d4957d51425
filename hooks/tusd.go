package hooks

import (
	"strings"

	"github.com/tus/tusd/v2/pkg/handler"
)

// PreUploadCreate is PreCreate in the form in which tusd calls it. Its error is a plain
// one: who assembles tusd's handler has to turn it into tusd's kind, or tusd would show
// its text to the client.
func (h *Hooks) PreUploadCreate(e handler.HookEvent) (handler.FileInfoChanges, error) {
	// tusd's own reading of the header drops what it does not understand.
	header := strings.Join(e.HTTPRequest.Header.Values("Upload-Metadata"), ",")
	pairs, err := ParseMetadata(header)
	if err != nil {
		return handler.FileInfoChanges{}, err
	}
	u, err := h.PreCreate(e.Context, Creation{
		Size: e.Upload.Size, Deferred: e.Upload.SizeIsDeferred, Metadata: header,
		Name: first(pairs, "filename", "name"), Type: first(pairs, "filetype", "type"),
	})
	return handler.FileInfoChanges{ID: string(u.ID)}, err
}
