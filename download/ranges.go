package download

import (
	"fmt"
	"net/http"
	"strings"
)

// maxRanges is how many ranges one request may ask for; each costs a call to the store.
// A request for more is answered with the whole file (RFC 9110, 14.2 allows to ignore it).
const maxRanges = 16

// byteRange is a range of bytes: the first, and the one behind the last.
type byteRange struct{ start, end int64 }

// totalBytes is how many bytes are in spans.
func totalBytes(spans []byteRange) (n int64) {
	for _, s := range spans {
		n += s.end - s.start
	}
	return n
}

// normalizeRange rewrites the Range header of r for a file of size bytes, so that nothing in it
// is left to interpretation, and returns the spans it names, in order. Status,
// conditions, If-Range and the answer's form stay http.ServeContent's business, which
// also ignores ranges that add up to more than the file. It alone would
//
//   - answer a range with HEAD, for which RFC 9110, 14.2 defines none,
//   - refuse other units, and "Bytes", instead of ignoring and understanding them (14.1),
//   - send nothing with 206 for a suffix of 0 bytes, which is not satisfiable (14.1.2),
//     and for any suffix of an empty file,
//   - refuse positions beyond an int64, and take signs for digits,
//   - serve any number of ranges,
//   - read only the first line of If-Match and If-None-Match, which are lists (5.3).
//
// What remains is explicit ("bytes=2-4,7-9"), or refused by net/http.
func normalizeRange(r *http.Request, size int64) []byteRange {
	for _, list := range []string{"If-Match", "If-None-Match"} {
		if lines := r.Header.Values(list); len(lines) > 1 {
			r.Header.Set(list, strings.Join(lines, ", "))
		}
	}
	fields := r.Header.Values("Range")
	if len(fields) == 0 {
		return nil
	}
	r.Header.Del("Range")
	unit, set, ok := strings.Cut(fields[0], "=")
	if r.Method != http.MethodGet || len(fields) > 1 || !ok || !strings.EqualFold(unit, "bytes") || size == 0 {
		return nil
	}
	var specs []string
	for spec := range strings.SplitSeq(set, ",") {
		if spec = strings.Trim(spec, " \t"); spec != "" { // an empty list element counts for nothing (5.6.1.2)
			specs = append(specs, spec)
		}
	}
	if len(specs) > maxRanges {
		return nil
	}
	const refused, beyond = "bytes=-", "bytes=%d-" // no range at all; none that the file has
	var spans []byteRange
	var explicit []string
	for _, spec := range specs {
		s, valid := parseRange(spec, size)
		if !valid {
			r.Header.Set("Range", refused)
			return nil
		}
		if s.start < s.end {
			spans = append(spans, s)
			explicit = append(explicit, fmt.Sprintf("%d-%d", s.start, s.end-1))
		}
	}
	switch {
	case len(specs) == 0:
		r.Header.Set("Range", refused)
	case len(spans) == 0:
		r.Header.Set("Range", fmt.Sprintf(beyond, size))
	default:
		r.Header.Set("Range", "bytes="+strings.Join(explicit, ","))
	}
	return spans
}

// parseRange finds what "first-last", "first-" or "-suffix" means (RFC 9110, 14.1.2) in a
// file of size bytes. A span without bytes is valid, and not satisfiable.
func parseRange(spec string, size int64) (s byteRange, valid bool) {
	first, last, ok := strings.Cut(spec, "-")
	if !ok || strings.Trim(first+last, "0123456789") != "" || first+last == "" {
		return byteRange{}, false
	}
	if first == "" {
		return byteRange{size - min(parseDigits(last), size), size}, true
	}
	s = byteRange{min(parseDigits(first), size), size}
	if last != "" {
		if lessDigits(last, first) {
			return byteRange{}, false
		}
		s.end = min(parseDigits(last), size-1) + 1
	}
	return s, true
}

// maxPosition stands for whatever is beyond every file.
const maxPosition = 1 << 62

// parseDigits reads digits; what does not fit is huge.
func parseDigits(digits string) (n int64) {
	for _, d := range []byte(digits) {
		if n = n*10 + int64(d-'0'); n >= maxPosition/16 {
			return maxPosition
		}
	}
	return n
}

// lessDigits compares digits as numbers, however long they are.
func lessDigits(a, b string) bool {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return len(a) < len(b) || len(a) == len(b) && a < b
}
