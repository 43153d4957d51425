package file

import "strings"

// DefaultType stands for a type that is missing or not on the list.
const DefaultType = "application/octet-stream"

// types are the media types a file may be served with. A type is here only if it
// can run no script when it is sent as an attachment with nosniff and a sandboxing
// Content-Security-Policy.
var types = func() map[string]struct{} {
	list := `application/gzip application/json application/msword application/octet-stream
application/pdf application/rtf application/vnd.ms-excel application/vnd.ms-powerpoint
application/vnd.oasis.opendocument.spreadsheet application/vnd.oasis.opendocument.text
application/vnd.openxmlformats-officedocument.presentationml.presentation
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet
application/vnd.openxmlformats-officedocument.wordprocessingml.document
application/x-7z-compressed application/x-rar-compressed application/x-tar
application/x-zip-compressed application/xml application/zip
audio/aac audio/flac audio/mp4 audio/mpeg audio/ogg audio/wav audio/webm audio/x-m4a
image/apng image/avif image/bmp image/gif image/heic image/heif image/jpeg image/png
image/svg+xml image/tiff image/vnd.microsoft.icon image/webp image/x-icon
text/csv text/markdown text/plain text/tab-separated-values
video/mp4 video/ogg video/quicktime video/webm video/x-matroska video/x-msvideo`
	m := make(map[string]struct{})
	for _, t := range strings.Fields(list) {
		m[t] = struct{}{}
	}
	return m
}()

// CleanType returns the base media type in lower case if it may be served, else
// DefaultType. Parameters are dropped.
func CleanType(s string) string {
	base, _, _ := strings.Cut(s, ";")
	base = strings.ToLower(strings.TrimSpace(base))
	if _, ok := types[base]; !ok {
		return DefaultType
	}
	return base
}
