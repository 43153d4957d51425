package file

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// MaxNameLength is the longest clean name, in bytes: what common file systems take.
	MaxNameLength = 255
	// DefaultName stands for a file whose name is missing or has nothing worth keeping.
	DefaultName = "unnamed_file"
	// maxKeptExtension is the longest extension, dot included, that survives cutting.
	maxKeptExtension = 16
)

// CleanName makes any text a safe file name: NFC; Unicode letters, marks, numbers
// and "_.-" stay, the rest becomes "_"; runs of "_" become one; no leading "." or
// "_", no trailing "."; at most MaxNameLength bytes, the extension kept if it is
// short. It never fails and never returns an empty name. It is idempotent.
func CleanName(s string) string {
	var b strings.Builder
	for _, r := range norm.NFC.String(s) {
		if !unicode.In(r, unicode.L, unicode.M, unicode.N) && r != '.' && r != '-' {
			r = '_'
		}
		if r == '_' && strings.HasSuffix(b.String(), "_") {
			continue
		}
		b.WriteRune(r)
	}
	name := strings.TrimRight(strings.TrimLeft(b.String(), "._"), ".")
	if len(name) > MaxNameLength {
		// A cut can leave a dot at the end, and letters that now compose.
		name = strings.TrimRight(norm.NFC.String(cut(name)), ".")
	}
	if name == "" {
		return DefaultName
	}
	return name
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
