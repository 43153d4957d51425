package download

import (
	"fmt"
	"net/http"
	"strings"
)

// maxRanges is how many ranges one request may ask for; each costs a call to the store. A request for more gets the
// whole file (RFC 9110, 14.2 allows ignoring Range).
const maxRanges = 16

// byteRange is a range of bytes: the first one, and the position after the last one.
type byteRange struct{ start, end int64 }

// totalBytes returns the number of bytes in spans.
func totalBytes(spans []byteRange) (n int64) {
	for _, s := range spans {
		n += s.end - s.start
	}
	return n
}

// normalizeRange rewrites the Range header of r for a file of size bytes, so that it is unambiguous, and returns the
// spans it names, in order. http.ServeContent still decides about status, conditions, If-Range and the form of the
// answer, and ignores ranges that add up to more than the file. By itself it would
//
//   - answer a range with HEAD, for which RFC 9110, 14.2 defines none,
//   - refuse other units, and "Bytes", instead of ignoring and understanding them (14.1),
//   - send nothing with 206 for a suffix of 0 bytes, which is not satisfiable (14.1.2),
//     and for any suffix of an empty file,
//   - refuse positions beyond an int64, and take signs for digits,
//   - serve any number of ranges,
//   - read only the first line of If-Match and If-None-Match, which are lists (5.3).
//
// The rewritten header is explicit ("bytes=2-4,7-9"), or net/http refuses it.
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
		if spec = strings.Trim(spec, " \t"); spec != "" { // an empty list element is ignored (5.6.1.2)
			specs = append(specs, spec)
		}
	}
	if len(specs) > maxRanges {
		return nil
	}
	const refused, beyond = "bytes=-", "bytes=%d-" // not a range; a range beyond the file
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

// parseRange parses "first-last", "first-" or "-suffix" (RFC 9110, 14.1.2) for a file of size bytes. A span without
// bytes is valid, but not satisfiable.
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

// maxPosition is a position beyond the end of every file.
const maxPosition = 1 << 62

// parseDigits parses digits; a number that is too large becomes maxPosition.
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
