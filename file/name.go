package file

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// MaxNameLength is the longest clean name, in bytes: the limit of common file systems.
	MaxNameLength = 255
	// DefaultName is used if a name is missing or has no character that may stay.
	DefaultName = "unnamed_file"
	// maxKeptExtension is the longest extension, dot included, that is kept when a name is cut.
	maxKeptExtension = 16
)

// The zero width joiner and non-joiner belong to the spelling of Persian, Hindi and other languages.
const (
	zwnj = '\u200c'
	zwj  = '\u200d'
)

// maxRescuedExtension is the longest extension, in characters and without its dot, that is appended to DefaultName
// if no other character of a name may stay.
const maxRescuedExtension = 15

// CleanName makes any text a safe file name: NFC; Unicode letters, marks, numbers and
// "_.-" stay, and joiners between letters; the rest becomes "_"; runs of "_" become one;
// no leading ".", "_" or mark, no trailing "."; at most MaxNameLength bytes, the extension
// kept if it is short. If no character before an extension may stay, DefaultName takes the
// place of that part. It never fails and never returns an empty name. It is idempotent.
func CleanName(s string) string {
	s = norm.NFC.String(s)
	name := clean(s)
	if dot := strings.LastIndexByte(s, '.'); dot > 0 && clean(s[:dot]) == "" && isExtension(s[dot+1:]) {
		name = DefaultName + s[dot:]
	}
	if len(name) > MaxNameLength {
		// A cut can leave a dot or a joiner at the end, and letters that now compose.
		name = clean(norm.NFC.String(cut(name)))
	}
	if name == "" {
		return DefaultName
	}
	return name
}

// clean is CleanName for text in NFC of any length; what it returns may be empty.
func clean(s string) string {
	var b strings.Builder
	var last rune // the last one written
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		if !keeps(r, last, s) {
			r = '_'
		}
		if r == '_' && last == '_' {
			continue
		}
		b.WriteRune(r)
		last = r
	}
	leading := func(r rune) bool { return strings.ContainsRune("._\u200c\u200d", r) || unicode.Is(unicode.M, r) }
	return strings.TrimRight(strings.TrimLeftFunc(b.String(), leading), ".")
}

// keeps reports whether a name keeps r between the character before it and the text after it.
func keeps(r, before rune, after string) bool {
	if r == zwnj || r == zwj {
		next, _ := utf8.DecodeRuneInString(after)
		return unicode.In(before, unicode.L, unicode.M) && unicode.Is(unicode.L, next)
	}
	return r == '.' || r == '-' || unicode.In(r, unicode.L, unicode.M, unicode.N)
}

// isExtension reports whether s has letters and numbers only, and not too many of them.
func isExtension(s string) bool {
	other := func(r rune) bool { return !unicode.In(r, unicode.L, unicode.N) }
	return s != "" && utf8.RuneCountInString(s) <= maxRescuedExtension && !strings.ContainsFunc(s, other)
}

// cut shortens name to MaxNameLength bytes between two runes, before a short extension.
func cut(name string) string {
	stem, ext := name, ""
	if dot := strings.LastIndexByte(name, '.'); dot > 0 && len(name)-dot <= maxKeptExtension {
		stem, ext = name[:dot], name[dot:]
	}
	end := MaxNameLength - len(ext)
	for !utf8.RuneStart(stem[end]) {
		end--
	}
	return stem[:end] + ext
}
