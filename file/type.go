package file

import (
	"mime"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// DefaultType replaces a type that is missing or not on the list.
const DefaultType = "application/octet-stream"

// types are the media types a file may be served with. A type is here only if it
// can run no script when it is sent as an attachment with nosniff and a sandboxing
// Content-Security-Policy.
var types = func() map[string]struct{} {
	list := `application/epub+zip application/gzip application/json application/msword
application/octet-stream application/ogg application/pdf application/rtf
application/vnd.ms-excel application/vnd.ms-powerpoint
application/vnd.oasis.opendocument.presentation
application/vnd.oasis.opendocument.spreadsheet application/vnd.oasis.opendocument.text
application/vnd.openxmlformats-officedocument.presentationml.presentation
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet
application/vnd.openxmlformats-officedocument.wordprocessingml.document
application/x-7z-compressed application/x-rar-compressed application/x-tar
application/x-zip-compressed application/xml application/yaml application/zip
audio/3gpp audio/3gpp2 audio/aac audio/amr audio/flac audio/mp4 audio/mpeg audio/ogg audio/opus
audio/wav audio/webm audio/x-m4a
image/apng image/avif image/bmp image/gif image/heic image/heic-sequence image/heif
image/heif-sequence image/jpeg image/jxl image/png image/svg+xml image/tiff
image/vnd.microsoft.icon image/webp image/x-icon
text/calendar text/csv text/markdown text/plain text/tab-separated-values text/vcard
video/3gpp video/3gpp2 video/mp2t video/mp4 video/mpeg video/ogg video/quicktime video/webm
video/x-matroska video/x-ms-wmv video/x-msvideo`
	m := make(map[string]struct{})
	for _, t := range strings.Fields(list) {
		m[t] = struct{}{}
	}
	return m
}()

// aliases are other names of types on the list, as browsers, phones and libraries write them.
var aliases = map[string]string{
	"application/vnd.rar": "application/x-rar-compressed", "application/x-gzip": "application/gzip",
	"application/x-pdf": "application/pdf", "application/x-rar": "application/x-rar-compressed",
	"application/x-yaml": "application/yaml", "text/yaml": "application/yaml",
	"audio/mp3": "audio/mpeg", "audio/x-mp3": "audio/mpeg", "audio/mpeg3": "audio/mpeg", "audio/x-mpeg": "audio/mpeg",
	"audio/x-mpeg-3": "audio/mpeg", "audio/x-aac": "audio/aac", "audio/x-flac": "audio/flac", "audio/m4a": "audio/x-m4a",
	"audio/x-wav": "audio/wav", "audio/wave": "audio/wav", "audio/vnd.wave": "audio/wav", "audio/x-pn-wav": "audio/wav",
	"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png", "image/x-ms-bmp": "image/bmp",
	"image/x-bmp":     "image/bmp",
	"text/x-markdown": "text/markdown", "text/x-log": "text/plain", "text/x-vcard": "text/vcard",
	"video/avi": "video/x-msvideo", "video/msvideo": "video/x-msvideo", "video/matroska": "video/x-matroska",
	"video/x-m4v": "video/mp4", "video/mpg": "video/mpeg", "video/x-mpeg": "video/mpeg",
}

// CleanType returns the base media type in lower case if it may be served, under the name
// that the list has for it, else DefaultType. Parameters are dropped.
func CleanType(s string) string {
	base, _, _ := strings.Cut(s, ";")
	base = strings.ToLower(strings.TrimSpace(base))
	if known, ok := aliases[base]; ok {
		base = known
	}
	if _, ok := types[base]; !ok {
		return DefaultType
	}
	return base
}

// CleanTextType is like CleanType, but keeps the charset of a text, under the name that browsers use:
// "text/plain; charset=utf-8". A charset that they don't know is dropped.
func CleanTextType(s string) string {
	base := CleanType(s)
	if !strings.HasPrefix(base, "text/") {
		return base
	}
	_, params, err := mime.ParseMediaType(s)
	if err != nil || params["charset"] == "" {
		return base
	}
	encoding, err := htmlindex.Get(params["charset"])
	if err != nil {
		return base
	}
	name, err := htmlindex.Name(encoding)
	if err != nil || name == "replacement" { // browsers map unsafe charsets to "replacement"
		return base
	}
	return base + "; charset=" + name
}

// BaseType is a media type without its parameters.
func BaseType(s string) string {
	base, _, _ := strings.Cut(s, ";")
	return strings.TrimSpace(base)
}
