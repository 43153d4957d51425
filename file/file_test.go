package file

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

type vector struct{ In, Out string }

func load[T any](t testing.TB, name string) (v T) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCleanName(t *testing.T) {
	for _, v := range load[[]vector](t, "filenames.json") {
		if got := CleanName(v.In); got != v.Out {
			t.Errorf("CleanName(%q) = %q, want %q", v.In, got, v.Out)
		}
	}
}

func FuzzCleanName(f *testing.F) {
	for _, v := range load[[]vector](f, "filenames.json") {
		f.Add(v.In)
	}
	f.Add(strings.Repeat("a", 254) + ".")
	f.Add(strings.Repeat("a", 254) + "\u200cb")
	f.Add("a\u200d\xff")
	f.Add(strings.Repeat("e\u0301", 200))
	f.Fuzz(func(t *testing.T, in string) {
		got := CleanName(in)
		switch {
		case got == "" || len(got) > MaxNameLength:
			t.Errorf("CleanName(%q): %d bytes", in, len(got))
		case !utf8.ValidString(got) || !norm.NFC.IsNormalString(got):
			t.Errorf("CleanName(%q) = %q: not UTF-8 in NFC", in, got)
		case strings.ContainsAny(got, "/\\\x00\"\r\n ") || strings.HasPrefix(got, ".") || strings.HasSuffix(got, "."):
			t.Errorf("CleanName(%q) = %q: unsafe", in, got)
		case CleanName(got) != got:
			t.Errorf("CleanName(%q) = %q, again: %q", in, got, CleanName(got))
		}
	})
}

func TestCleanType(t *testing.T) {
	for _, v := range load[[]vector](t, "content_types.json") {
		if got := CleanType(v.In); got != v.Out {
			t.Errorf("CleanType(%q) = %q, want %q", v.In, got, v.Out)
		}
	}
	lists := load[struct{ Allowed, Never []string }](t, "content_type_lists.json")
	for alias, name := range aliases {
		if _, ok := types[alias]; ok || CleanType(strings.ToUpper(alias)+"; a=b") != name || CleanType(name) != name {
			t.Errorf("%q is not %q on the list", alias, name)
		}
	}
	for _, s := range lists.Allowed {
		if CleanType(s) != s {
			t.Errorf("%q is not served", s)
		}
	}
	for _, s := range lists.Never {
		if _, ok := types[s]; ok || CleanType(s) != DefaultType {
			t.Errorf("%q is served", s)
		}
	}
}

func FuzzCleanType(f *testing.F) {
	for _, v := range load[[]vector](f, "content_types.json") {
		f.Add(v.In)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got := CleanType(in)
		if _, ok := types[got]; !ok || CleanType(got) != got {
			t.Errorf("CleanType(%q) = %q", in, got)
		}
	})
}

func TestParseID(t *testing.T) {
	for _, s := range []string{"a", string(NewID()), "old_key.pdf", "100%", "folder/old key.pdf", strings.Repeat("x", 512),
		strings.Repeat("ж", 512), "..."} {
		if id, err := ParseID(s); err != nil || string(id) != s {
			t.Errorf("ParseID(%q) = %q, %v", s, id, err)
		}
	}
	for _, s := range []string{"", ".", "..", "/", "a/", "/a", "a//b", "a/../b", "./a", "a\\b", "a\x00b", "a\nb", "\xff",
		strings.Repeat("x", 513), strings.Repeat("x", 600)} {
		if _, err := ParseID(s); !errors.Is(err, ErrNotFound) {
			t.Errorf("ParseID(%q): %v, want not found", s, err)
		}
	}
}

func TestNewIDIsDifferentEachTime(t *testing.T) {
	a, b := NewID(), NewID()
	if a == b || len(a) != 36 || a[14] != '4' {
		t.Errorf("NewID: %q, %q", a, b)
	}
}

func TestCleanTextType(t *testing.T) {
	for given, want := range map[string]string{
		"text/plain": "text/plain", "text/plain; charset=utf-8": "text/plain; charset=utf-8",
		"Text/Plain;charset=UTF8":                    "text/plain; charset=utf-8",
		`text/csv; charset="Latin1"; header=present`: "text/csv; charset=windows-1252",
		"text/plain; charset=shift_jis":              "text/plain; charset=shift_jis",
		"text/plain; charset=utf-7":                  "text/plain", "text/plain; charset=hz-gb-2312": "text/plain",
		"text/plain; charset=nonsense\r\nX: y": "text/plain",
		"text/plain; charset=":                 "text/plain", "text/x-log; charset=utf-8": "text/plain; charset=utf-8",
		"image/png; charset=utf-8": "image/png", "text/html; charset=utf-8": DefaultType,
		"application/json; charset=utf-8": "application/json",
	} {
		if got := CleanTextType(given); got != want || BaseType(got) != CleanType(given) || CleanTextType(got) != got {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}
