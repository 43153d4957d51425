package storagetest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"holdfast/file"
)

// plainKeys are keys that every store takes; oddKeys are those of a store without the quirk PlainKeys.
func plainKeys() []string {
	return []string{"a", "A", "a b", "a+b", "a%20b", "a%2Bb", "ä", "dir/b", "a&b=c?d#e",
		"~!@$'()*,;:[]{}|^`\"<>", "日本語", "🎉", "tails/x/1-2", "objects/x/1", "con", strings.Repeat("l", 200)}
}

func oddKeys() []string {
	return []string{".", "..", "../escape", "./a", "x/.", "x/..", "x/../../y", "/", "//", "/a", "x//y", "x/", "a/b",
		".hidden", ".sgwtmp", ".sgwtmp/multipart/x", "a.", "a ", " a", "\t", "a\nb", "a\rb", "a\x01b", "a\x7fb", "a\x00b",
		"%", "%2e%2e", "%2F", "a\\b", "c:\\d", "e\u0301", "\u00e9", "\u2028", "\ufffd", "\U0010ffff",
		strings.Repeat("k", 256), strings.Repeat("k", 255) + "l", strings.Repeat("k", 1024),
		strings.Repeat("k", 1023) + "l", strings.Repeat("ä", 512), strings.Repeat("A", 1024),
		strings.Repeat("d/", 511) + "de"}
}

// keys: every key is different from all others, is listed as it was written, and is deleted alone.
func (s suite) keys(t *testing.T) {
	bucket := fresh("keys").Object(1, "").Bucket
	content := map[string][]byte{}
	all := plainKeys()
	if !s.quirks[PlainKeys] {
		all = append(all, oddKeys()...)
	}
	for _, key := range all {
		content[key] = []byte("the content of " + key)
		put(t, s, file.Location{Bucket: bucket, Key: key}, content[key])
	}
	for key, b := range content {
		holds(t, s, file.Location{Bucket: bucket, Key: key}, b)
	}
	s.listed(t, bucket, content)
	for key := range content {
		if len(key)%2 == 0 {
			if err := s.Delete(t.Context(), file.Location{Bucket: bucket, Key: key}); err != nil {
				t.Errorf("%.40q: %v", key, err)
			}
			delete(content, key)
		}
	}
	s.listed(t, bucket, content)
	for key, b := range content {
		if _, err := s.Stat(t.Context(), file.Location{Bucket: bucket, Key: key + "!"}); !errors.Is(err,
			file.ErrObjectMissing) {
			t.Errorf("%.40q has another name: %v", key, err)
		}
		holds(t, s, file.Location{Bucket: bucket, Key: key}, b)
	}
}

// listed checks that the bucket has these objects and no others, in the order of their keys' bytes.
func (s suite) listed(t *testing.T, bucket string, content map[string][]byte) {
	t.Helper()
	all, err := s.List(t.Context(), bucket, "", "")
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, o := range all {
		got = append(got, o.Key)
		if o.Size != int64(len(content[o.Key])) {
			t.Errorf("%.40q is listed with %d bytes", o.Key, o.Size)
		}
	}
	for key := range content {
		want = append(want, key)
	}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("listed: %.2000q\nwant: %.2000q", got, want)
	}
	// With each key as the one after which a page begins.
	for i, key := range want {
		if page, err := s.List(t.Context(), bucket, "", key); err != nil || len(page) != len(want)-i-1 ||
			len(page) > 0 && page[0].Key != want[i+1] {
			t.Errorf("after %.40q: %d objects, %v; want %d", key, len(page), err, len(want)-i-1)
		}
	}
}
