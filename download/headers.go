package download

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"holdfast/file"
)

const (
	// policy keeps everything in a file from running when a browser shows it. An SVG in <img> runs no script anyway;
	// with this policy, neither does an SVG that is opened by itself.
	policy = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
	// mediaPolicy is for images, audio and video. The page that a browser makes around one loads it from our origin,
	// so that page must have an origin (allow-same-origin). It runs no script.
	mediaPolicy = "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; media-src " +
		"'self'"
	// pdfPolicy has no sandbox: browsers show no PDF in one. Their viewers isolate the scripts of a PDF from the
	// origin it comes from.
	pdfPolicy = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors "
)

// describe sets the headers of an answer with this file.
func (h *Handler) describe(w http.ResponseWriter, r *http.Request, rec file.Record) {
	header := w.Header()
	base := file.BaseType(rec.Type)
	inline := r.URL.Query().Get("disposition") == "inline" && showable(base)
	header.Set("Content-Type", rec.Type)
	header.Set("Content-Disposition", disposition(inline, rec.Name))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", policy)
	header.Set("Cache-Control", h.CacheControl)
	if tag := entityTag(rec); tag != "" {
		header.Set("ETag", tag)
	}
	setDigest(w, r, rec)
	switch {
	case !inline:
	case base == "application/pdf":
		ancestors := "'none'" // overrides X-Frame-Options where it is known
		if h.FrameOptions == "SAMEORIGIN" {
			ancestors = "'self'"
		}
		header.Set("Content-Security-Policy", pdfPolicy+ancestors)
		header.Set("X-Frame-Options", h.FrameOptions)
	case base != "image/svg+xml" && base != "text/plain":
		header.Set("Content-Security-Policy", mediaPolicy)
	}
}

// showable reports whether a browser may show this type instead of saving it.
func showable(mediaType string) bool {
	kind, _, _ := strings.Cut(mediaType, "/")
	switch kind {
	case "image", "audio", "video":
		return true
	}
	return mediaType == "application/pdf" || mediaType == "text/plain"
}

// disposition returns a Content-Disposition with two names: in ASCII for old clients, and in UTF-8, which takes
// precedence where it is understood (RFC 6266, 4.3 and appendix D; RFC 8187).
func disposition(inline bool, name string) string {
	kind := "attachment"
	if inline {
		kind = "inline"
	}
	return fmt.Sprintf(`%s; filename="%s"; filename*=utf-8''%s`, kind, asciiName(name),
		notAttrChars.Replace(url.PathEscape(name)))
}

// notAttrChars escapes the characters that url.PathEscape leaves and that are no attr-char (RFC 8187, 3.2.1).
var notAttrChars = strings.NewReplacer("@", "%40", ":", "%3A", "=", "%3D", "'", "%27", "(", "%28", ")", "%29", "*",
	"%2A",
	",", "%2C", ";", "%3B")

// asciiName returns the name without accents, and with "_" for each character that may not stand in a quoted ASCII
// string, and for "%", which some clients decode.
func asciiName(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case unicode.Is(unicode.Mn, c):
			return -1
		case c < ' ' || c > '~' || c == '"' || c == '\\' || c == '%':
			return '_'
		}
		return c
	}, norm.NFD.String(name))
}

// entityTag returns a strong ETag, which changes with the content only (RFC 9110, 8.8.3): not when its SHA-256 becomes
// known, either.
func entityTag(r file.Record) string {
	if len(r.SHA256) > 0 && r.EntityTag == "" {
		return `"` + hex.EncodeToString(r.SHA256) + `"`
	}
	if tag := strings.Trim(cmp.Or(r.EntityTag, r.ETag), `"`); tag != "" {
		return fmt.Sprintf("%q", tag)
	}
	return ""
}
