package tus

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"holdfast/file"
)

const (
	idA = "0b7b3f3e-94cf-4b5f-9f0c-7d4f0ad0b4aa"
	idB = "d1cbd1a5-59a6-4fb3-8b0a-2f7f3dbb81bb"
)

func TestParseConcat(t *testing.T) {
	many := make([]string, maxSources+1)
	for i := range many {
		many[i] = "/files/tus/id-" + strconv.Itoa(i)
	}
	for _, c := range []struct {
		header  []string
		partial bool
		sources string // separated by spaces
		err     error
	}{
		{header: nil},
		{header: []string{"partial"}, partial: true},
		{header: []string{"final;/files/tus/" + idA}, sources: idA},
		{header: []string{"final;https://a.example/x/tus/" + idA + " /tus/" + idB}, sources: idA + " " + idB},
		{header: []string{"final; tus/" + idB + "  /files/tus/" + idA + " "}, sources: idB + " " + idA},
		{header: []string{"final;" + strings.Join(many[1:], " ")}, sources: strings.ReplaceAll(strings.Join(many[1:], " "),
			"/files/tus/", "")},
		{header: []string{""}, err: file.ErrInvalid},
		{header: []string{"Partial"}, err: file.ErrInvalid},
		{header: []string{"partial", "partial"}, err: file.ErrInvalid},
		{header: []string{"final"}, err: file.ErrInvalid},
		{header: []string{"final;"}, err: file.ErrInvalid},
		{header: []string{"final;  "}, err: file.ErrInvalid},
		{header: []string{"final;" + idA}, err: file.ErrInvalid},
		{header: []string{"final;/files/" + idA}, err: file.ErrInvalid},
		{header: []string{"final;/files/notus/" + idA}, err: file.ErrInvalid},
		{header: []string{"final;/files/tus/"}, err: file.ErrInvalid},
		{header: []string{"final;/files/tus/.."}, err: file.ErrInvalid},
		{header: []string{"final;/files/tus/" + idA + "?x=1"}, err: file.ErrInvalid},
		{header: []string{"final;/files/tus/" + idA + "#x"}, err: file.ErrInvalid},
		{header: []string{"final;/files/tus/%30b7b3f3e"}, err: file.ErrInvalid},
		{header: []string{"final;/files/tus/" + idA + " /files/tus/" + idA}, err: file.ErrInvalid},
		{header: []string{"final;" + strings.Join(many, " ")}, err: file.ErrInvalid},
	} {
		partial, sources, err := parseConcat(http.Header{"Upload-Concat": c.header})
		if partial != c.partial || joined(sources) != c.sources || !errors.Is(err, c.err) {
			t.Errorf("%.100q: %v %v %v", c.header, partial, sources, err)
		}
	}
}

func joined(ids []file.ID) string {
	var s []string
	for _, id := range ids {
		s = append(s, string(id))
	}
	return strings.Join(s, " ")
}

// A header that is accepted, and written again in canonical form, is read as the same value.
func FuzzParseConcat(f *testing.F) {
	for _, s := range []string{"partial", "final;/files/tus/" + idA, "final;http://h/files/tus/" + idA + " tus/" + idB,
		"final;;", "final;/tus/\x00", "final;/tus/ä /tus/."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		partial, sources, err := parseConcat(http.Header{"Upload-Concat": {header}})
		if err != nil {
			if !errors.Is(err, file.ErrInvalid) || partial || sources != nil {
				t.Fatal(partial, sources, err)
			}
			return
		}
		if partial != (len(sources) == 0) {
			t.Fatal(partial, sources)
		}
		if partial {
			return
		}
		again := "final;/files/tus/" + strings.ReplaceAll(joined(sources), " ", " /files/tus/")
		_, same, err := parseConcat(http.Header{"Upload-Concat": {again}})
		if err != nil || joined(same) != joined(sources) {
			t.Fatal(again, same, err)
		}
	})
}

// helloSums are checksums of "hello" by other programs: sha1sum, sha256sum, gzip's crc32, md5sum.
var helloSums = map[string]string{
	"sha1":   "qvTGHdzF6KLavt4PO0gs2a6pQ00=",
	"sha256": "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
	"crc32":  "NhCmhg==",
	"md5":    "XUFAKrxLKna5cZ2REBfFkg==",
}

func TestChecksum(t *testing.T) {
	if len(helloSums) != len(strings.Split(algorithms, ",")) {
		t.Fatal(algorithms)
	}
	for name, sum := range helloSums {
		for body, kind := range map[string]error{"hello": nil, "hullo": file.ErrChecksum, "": file.ErrChecksum,
			"hello ": file.ErrChecksum} {
			r := &http.Request{Header: http.Header{"Upload-Checksum": {name + " " + sum}}}
			c, err := readChecksum(r)
			if err != nil {
				t.Fatal(err)
			}
			c.Write([]byte(body))
			if err := c.Verify(); !errors.Is(err, kind) {
				t.Errorf("%s of %q: %v", name, body, err)
			}
			// A trailer's value is known only at the end.
			r = &http.Request{Header: http.Header{}, Trailer: http.Header{"Upload-Checksum": nil}}
			if c, err = readChecksum(r); err != nil {
				t.Fatal(err)
			}
			c.Write([]byte(body))
			if err := c.Verify(); !errors.Is(err, file.ErrInvalid) {
				t.Errorf("the trailer is not there: %v", err)
			}
			r.Trailer.Set("Upload-Checksum", name+" "+sum)
			if err := c.Verify(); !errors.Is(err, kind) {
				t.Errorf("trailing %s of %q: %v", name, body, err)
			}
		}
	}
	for _, header := range [][]string{{""}, {"sha1"}, {"sha1 "}, {"sha1 AAAA"}, {"sha1 " + helloSums["md5"]},
		{"SHA1 " + helloSums["sha1"]},
		{"sha512 " + helloSums["sha1"]}, {"sha1  " + helloSums["sha1"]}, {"md5 " + helloSums["md5"] + ","},
		{"md5 " + helloSums["md5"], "md5 " + helloSums["md5"]}} {
		if _, err := readChecksum(&http.Request{Header: http.Header{"Upload-Checksum": header}}); !errors.Is(err,
			file.ErrInvalid) {
			t.Errorf("%q: %v", header, err)
		}
	}
	if c, err := readChecksum(&http.Request{Header: http.Header{}}); c != nil || err != nil {
		t.Error("a check that nobody asked for", c, err)
	}
}

func FuzzParseChecksum(f *testing.F) {
	for name, sum := range helloSums {
		f.Add(name + " " + sum)
	}
	f.Add("sha1 ====")
	f.Fuzz(func(t *testing.T, header string) {
		c, err := parseChecksum(header)
		if err != nil {
			if !errors.Is(err, file.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if again := c.name + " " + base64.StdEncoding.EncodeToString(c.want); again != header {
			t.Fatalf("%q was taken for %q", header, again)
		}
		if err := c.compare(bytes.Clone(c.want)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestParseLength(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []string
		n      int64
		given  bool
		err    error
	}{
		{name: "Upload-Length"},
		{"Upload-Length", []string{"0"}, 0, true, nil},
		{"Upload-Length", []string{"007"}, 7, true, nil},
		{"Upload-Length", []string{"9223372036854775807"}, 1<<63 - 1, true, nil},
		{"Upload-Length", []string{"9223372036854775808"}, 0, true, file.ErrTooLarge},
		{"Upload-Offset", []string{"9223372036854775808"}, 0, true, file.ErrInvalid},
		{"Upload-Length", []string{"1", "1"}, 0, true, file.ErrInvalid},
		{"Upload-Length", []string{""}, 0, true, file.ErrInvalid},
		{"Upload-Length", []string{"-1"}, 0, true, file.ErrInvalid},
		{"Upload-Length", []string{"+1"}, 0, true, file.ErrInvalid},
		{"Upload-Offset", []string{"1e3"}, 0, true, file.ErrInvalid},
		{"Upload-Offset", []string{"0x1"}, 0, true, file.ErrInvalid},
		{"Upload-Offset", []string{"１"}, 0, true, file.ErrInvalid},
	} {
		n, given, err := parseLength(http.Header{c.name: c.values}, c.name)
		if n != c.n || given != c.given || !errors.Is(err, c.err) {
			t.Errorf("%s %q: %d %v %v", c.name, c.values, n, given, err)
		}
	}
}

func FuzzParseLength(f *testing.F) {
	for _, s := range []string{"0", "12", "-1", "99999999999999999999", " 1", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		n, given, err := parseLength(http.Header{"Upload-Length": {v}}, "Upload-Length")
		if !given || n < 0 {
			t.Fatal(n, given)
		}
		if want := strings.TrimLeft(v, "0"); err == nil && strconv.FormatInt(n, 10) != want && !(n == 0 && want == "") {
			t.Fatalf("%q was taken for %d", v, n)
		}
	})
}
