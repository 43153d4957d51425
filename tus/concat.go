package tus

import (
	"net/http"
	"slices"
	"strings"

	"holdfast/file"
)

// maxSources is how many partial uploads a final one may be made of.
const maxSources = 1000

// parseConcat parses the Upload-Concat header (tus 1.0.0, Concatenation): "partial", or "final;" and the URLs of
// partial uploads, separated by spaces. Without the header both results are zero.
//
// Only the end of a URL is used, "/tus/{id}": behind a proxy this service may have another name, scheme and prefix.
// Everything else is file.ErrInvalid.
func parseConcat(h http.Header) (partial bool, sources []file.ID, err error) {
	values := h.Values("Upload-Concat")
	switch {
	case len(values) == 0:
		return false, nil, nil
	case len(values) > 1:
		return false, nil, file.Refuse(file.ErrInvalid, "Upload-Concat is given twice")
	case values[0] == "partial":
		return true, nil, nil
	}
	list, final := strings.CutPrefix(values[0], "final;")
	if !final {
		return false, nil, file.Refuse(file.ErrInvalid, `Upload-Concat must be "partial" or "final;" with URLs`)
	}
	for url := range strings.FieldsSeq(list) {
		id, err := sourceID(url)
		if err != nil {
			return false, nil, err
		}
		if len(sources) == maxSources {
			return false, nil, file.Refuse(file.ErrInvalid, "Upload-Concat names more than %d uploads", maxSources)
		}
		sources = append(sources, id)
	}
	if len(sources) == 0 {
		return false, nil, file.Refuse(file.ErrInvalid, "Upload-Concat names no upload")
	}
	// The sources are removed once the file is recorded, so each can be used only once.
	sorted := slices.Sorted(slices.Values(sources))
	if len(slices.Compact(sorted)) != len(sources) {
		return false, nil, file.Refuse(file.ErrInvalid, "Upload-Concat names an upload twice")
	}
	return false, sources, nil
}

func sourceID(url string) (file.ID, error) {
	i := strings.LastIndexByte(url, '/')
	if i < 0 || !strings.HasSuffix(url[:i], "/tus") && url[:i] != "tus" {
		return "", file.Refuse(file.ErrInvalid, "Upload-Concat: %q is not the URL of an upload here", short(url))
	}
	// No character of an id needs to be escaped in a URL.
	id, err := file.ParseID(url[i+1:])
	if err != nil || strings.ContainsAny(string(id), "%?#") {
		return "", file.Refuse(file.ErrInvalid, "Upload-Concat: %q is not the URL of an upload here", short(url))
	}
	return id, nil
}
