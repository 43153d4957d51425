package download

import (
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestNormalizeRange(t *testing.T) {
	many := func(n int) string { return "bytes=" + strings.TrimSuffix(strings.Repeat("0-0,", n), ",") }
	for _, c := range []struct {
		given, want string
		spans       []byteRange
	}{
		{"bytes=2-4", "bytes=2-4", []byteRange{{2, 5}}},
		{"Bytes=2-4", "bytes=2-4", []byteRange{{2, 5}}},
		{"bytes=2-", "bytes=2-9", []byteRange{{2, 10}}},
		{"bytes=-3", "bytes=7-9", []byteRange{{7, 10}}},
		{"bytes=-30", "bytes=0-9", []byteRange{{0, 10}}},
		{"bytes=2-99999999999999999999999", "bytes=2-9", []byteRange{{2, 10}}},
		{"bytes=-99999999999999999999999", "bytes=0-9", []byteRange{{0, 10}}},
		{"bytes= 0-0 ,\t, -1", "bytes=0-0,9-9", []byteRange{{0, 1}, {9, 10}}},
		{"bytes=0-0,10-,-0,3-3", "bytes=0-0,3-3", []byteRange{{0, 1}, {3, 4}}},
		{"bytes=-0", "bytes=10-", nil},
		{"bytes=10-", "bytes=10-", nil},
		{"bytes=99999999999999999999999-", "bytes=10-", nil},
		{"bytes=4-2", "bytes=-", nil},
		{"bytes=99999999999999999999999-99999999999999999999998", "bytes=-", nil},
		{"bytes=", "bytes=-", nil},
		{"bytes=+2-4", "bytes=-", nil},
		{"bytes=2-4-6", "bytes=-", nil},
		{"bytes=0x2-", "bytes=-", nil},
		{"bytes=2", "bytes=-", nil},
		{"bytes=2 - 4", "bytes=-", nil},
		{"bytes", "", nil},
		{"bytes 2-4", "", nil},
		{"bytes =2-4", "", nil},
		{"lines=2-4", "", nil},
		{many(16), many(16), slices.Repeat([]byteRange{{0, 1}}, 16)},
		{many(17), "", nil},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Range", c.given)
		spans := normalizeRange(r, 10)
		if got := r.Header.Get("Range"); got != c.want || !slices.Equal(spans, c.spans) {
			t.Errorf("%q becomes %q %v, want %q %v", c.given, got, spans, c.want, c.spans)
		}
	}
	for _, c := range []struct {
		what, method string
		size         int64
		fields       []string
	}{
		{"HEAD", "HEAD", 10, []string{"bytes=2-4"}},
		{"two lines", "GET", 10, []string{"bytes=2-4", "bytes=6-7"}},
		{"an empty file", "GET", 0, []string{"bytes=-5"}},
	} {
		r := httptest.NewRequest(c.method, "/", nil)
		r.Header["Range"] = c.fields
		if spans := normalizeRange(r, c.size); spans != nil || r.Header.Get("Range") != "" {
			t.Errorf("%s: %q %v is left", c.what, r.Header["Range"], spans)
		}
	}
}

// FuzzNormalizeRange compares with the grammar of RFC 9110, 14.1.1, read by a regular expression
// and numbers of any size.
func FuzzNormalizeRange(f *testing.F) {
	for _, s := range []string{"bytes=0-0,-1", "bytes=-0", "bytes=5-", "bytes=9223372036854775807-9223372036854775808",
		"bytes=1-2,", "x=1-2"} {
		f.Add(s, int64(10))
		f.Add(s, int64(1)<<40)
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 1 || size > 1<<45 || header == "" {
			return
		}
		r := &http.Request{Method: "GET", Header: http.Header{"Range": {header}}}
		got := normalizeRange(r, size)
		kept := r.Header.Get("Range")
		unit, set, ok := strings.Cut(header, "=")
		if !ok || !strings.EqualFold(unit, "bytes") {
			if len(got) > 0 || kept != "" {
				t.Errorf("%q is not ignored", header)
			}
			return
		}
		want, count, valid := rangesOf(set, size)
		switch {
		case count > maxRanges:
			if len(got) > 0 || kept != "" {
				t.Errorf("%q: %d ranges are not ignored", header, count)
			}
		case !valid || count == 0:
			if len(got) > 0 || kept != "bytes=-" {
				t.Errorf("%q is invalid and becomes %q", header, kept)
			}
		case !slices.Equal(got, want):
			t.Errorf("%q of %d is %v, want %v", header, size, got, want)
		case len(want) == 0 && kept != fmt.Sprintf("bytes=%d-", size):
			t.Errorf("%q can't be satisfied and becomes %q", header, kept)
		}
	})
}

// rangesOf reads a range-set by the letter of the standard: the ranges that a file of this size can satisfy, how many
// there are in all, and whether all of them are valid.
func rangesOf(set string, size int64) (satisfiable []byteRange, count int, valid bool) {
	valid = true
	for _, s := range strings.Split(set, ",") {
		if s = strings.Trim(s, " \t"); s == "" {
			continue
		}
		count++
		m := rangeSpec().FindStringSubmatch(s)
		if m == nil || m[1] != "" && m[2] != "" && number(m[2]).Cmp(number(m[1])) < 0 {
			valid = false
			continue
		}
		first, last := big.NewInt(0), big.NewInt(size-1)
		switch {
		case m[1] != "":
			first = number(m[1])
		case number(m[3]).Cmp(big.NewInt(size)) < 0:
			first.Sub(big.NewInt(size), number(m[3]))
		}
		if m[2] != "" && number(m[2]).Cmp(last) < 0 {
			last = number(m[2])
		}
		if first.Cmp(last) <= 0 {
			satisfiable = append(satisfiable, byteRange{first.Int64(), last.Int64() + 1})
		}
	}
	return satisfiable, count, valid
}

// rangeSpec has a first and a last position, or the length of a suffix.
func rangeSpec() *regexp.Regexp { return regexp.MustCompile(`^([0-9]+)-([0-9]*)$|^-([0-9]+)$`) }

func number(s string) *big.Int { n, _ := new(big.Int).SetString(s, 10); return n }
