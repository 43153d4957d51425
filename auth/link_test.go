package auth

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"holdfast/file"
)

var (
	keyA, keyB = []byte(strings.Repeat("a", 32)), []byte(strings.Repeat("b", 32))
	noon       = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
)

func at(now time.Time, keys ...[]byte) *Links { return NewLinks(keys, func() time.Time { return now }) }

func query(t *testing.T, s string) url.Values {
	t.Helper()
	q, err := url.ParseQuery(s)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestLink(t *testing.T) {
	const id = file.ID("6ba7b810-9dad-41d1-80b4-00c04fd430c8")
	for _, disposition := range []string{"", "inline", "attachment"} {
		signed := at(noon, keyA, keyB).Sign(id, noon.Add(time.Hour), disposition)
		good := query(t, signed)
		if !IsLink(good) {
			t.Fatalf("%q is no link", signed)
		}
		who, err := at(noon.Add(time.Hour-time.Second), keyA).Identify(id, good)
		if err != nil || who.Kind != file.KindLink || who.File != id || who.UserID != 0 || who.AccountID != 0 {
			t.Errorf("%q is %+v, %v", signed, who, err)
		}
		if _, err := at(noon.Add(time.Hour), keyA).Identify(id, good); !errors.Is(err, file.ErrLinkExpired) {
			t.Errorf("an old link: %v", err)
		}
		// The keys were changed: it is accepted as long as its key is there.
		if _, err := at(noon, keyB, keyA).Identify(id, good); err != nil {
			t.Errorf("with a new key in front: %v", err)
		}
		if _, err := at(noon, keyB).Identify(id, good); !errors.Is(err, file.ErrLink) {
			t.Errorf("with its key taken away: %v", err)
		}
		if _, err := at(noon, keyA).Identify(id+"x", good); !errors.Is(err, file.ErrLink) {
			t.Errorf("for another file: %v", err)
		}
		for name, values := range map[string][]string{
			linkExpires:     {"1780319999", "99999999999", "", "x", "-1"},
			linkDisposition: {"inline ", "x", "attachment\n", "inlin"},
			linkSignature:   {"", "x", "AAAA", strings.Repeat("A", 43), good.Get(linkSignature) + "A", "!!"},
		} {
			for _, value := range values {
				bad := query(t, signed)
				bad.Set(name, value)
				if _, err := at(noon.Add(9999*time.Hour), keyA).Identify(id, bad); !errors.Is(err, file.ErrLink) {
					t.Errorf("%s=%q: %v, want a forged link to be one though it is old as well", name, value, err)
				}
			}
		}
	}
}

// Whatever is changed in a link, it opens nothing.
func FuzzLink(f *testing.F) {
	const id = file.ID("a.pdf")
	links := at(noon, keyA)
	signed := links.Sign(id, noon.Add(time.Hour), "inline")
	f.Add(string(id), signed)
	f.Add("a.pdf\"\n", signed)
	f.Add("a", "expires=1&signature=AAAA")
	f.Fuzz(func(t *testing.T, name, s string) {
		q, err := url.ParseQuery(s)
		if err != nil {
			return
		}
		if _, err := links.Identify(file.ID(name), q); err == nil && (name != string(id) || q.Get(linkDisposition) != "inline") {
			t.Errorf("%q opens %q", s, name)
		}
	})
}
