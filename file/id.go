package file

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxIDLength is the longest file id, in characters. Ids that Holdfast generates have
// 36; ids of imported files may be old object keys, with a "/" in them.
const MaxIDLength = 512

// ID names a file, and the upload it came from.
type ID string

// NewID returns a random UUID (RFC 9562, version 4) as an ID.
func NewID() ID {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return ID(fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16]))
}

// ParseID checks a decoded path segment. A text that is no valid id can't name a file,
// so the error is ErrNotFound. The checks keep such input away from SQL and from
// object keys.
func ParseID(s string) (ID, error) {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > MaxIDLength {
		return "", NotFound(s)
	}
	for segment := range strings.SplitSeq(s, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return "", NotFound(s)
		}
	}
	for _, r := range s {
		if r == '\\' || unicode.IsControl(r) {
			return "", NotFound(s)
		}
	}
	return ID(s), nil
}

// Escaped is the id as a segment of a URL's path.
func (id ID) Escaped() string { return url.PathEscape(string(id)) }

// URL is the URL of the file. The base URL of the service's files has no trailing slash.
func (id ID) URL(base string) string { return base + "/" + id.Escaped() }

// NotFound is the refusal for an id that names no file.
func NotFound[S ~string](id S) error {
	shown := string(id)
	if utf8.RuneCountInString(shown) > MaxIDLength {
		shown = string([]rune(shown)[:MaxIDLength])
	}
	return Refuse(ErrNotFound, "File with ID '%s' not found", shown)
}
