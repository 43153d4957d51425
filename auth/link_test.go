package auth

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/file"
)

var (
	keyA, keyB = []byte(strings.Repeat("a", 32)), []byte(strings.Repeat("b", 32))
	noon       = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
)

func at(now time.Time, keys ...[]byte) *Links {
	return NewLinks(keys, shelfOfLinks{}, func() time.Time { return now })
}

// shelfOfLinks has links by their ids. An entry under a file's id means that its links without a row were revoked.
type shelfOfLinks map[string]file.Link

func (s shelfOfLinks) CreateLink(_ context.Context, l file.Link) error {
	l.Maker.Credential = file.Credential{} // a row has no column for it
	s[l.ID] = l
	return nil
}

func (s shelfOfLinks) Link(_ context.Context, id string) (file.Link, error) {
	if l, ok := s[id]; ok {
		return l, nil
	}
	return file.Link{}, file.ErrNotFound
}

func (s shelfOfLinks) LinksEnded(_ context.Context, id file.ID) (bool, error) {
	_, ended := s[string(id)]
	return ended, nil
}

// A link opens its file with the identity and the credential of its maker until its row is
// deleted. Neither the row nor the URL alone reveals the credential.
func TestMakerOfALink(t *testing.T) {
	const id = file.ID("a.pdf")
	rows := shelfOfLinks{}
	links := NewLinks([][]byte{keyA}, rows, func() time.Time { return noon })
	maker := file.Identity{Kind: file.KindGuest, UserID: 5, AccountID: 6, Groups: []string{"g"},
		Credential: file.NewCredential("X-Guest-Authorization", "topsecret")}
	signed, name, err := links.Make(t.Context(), id, maker, noon.Add(time.Hour), "inline")
	if err != nil || strings.Contains(signed, name) || strings.Contains(signed, "topsecret") ||
		bytes.Contains(rows[name].Sealed, []byte("topsecret")) {
		t.Fatalf("%q %q %q, %v", signed, name, rows[name].Sealed, err)
	}
	who, err := links.Identify(id, query(t, signed))
	if err != nil {
		t.Fatal(err)
	}
	got, err := links.Maker(t.Context(), who)
	if diff := cmp.Diff(maker, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	elsewhere := rows[name]
	elsewhere.File = "b.pdf"
	rows[name] = elsewhere
	if _, err := links.Maker(t.Context(), who); !errors.Is(err, file.ErrLink) {
		t.Errorf("a row of another file: %v", err)
	}
	delete(rows, name)
	if _, err := links.Maker(t.Context(), who); !errors.Is(err, file.ErrLink) {
		t.Errorf("a link that was ended: %v", err)
	}
	for _, nobody := range []file.Identity{{}, who} {
		if _, _, err := links.Make(t.Context(), id, nobody, noon.Add(time.Hour), ""); !errors.Is(err, file.ErrForbidden) {
			t.Errorf("%+v makes a link: %v", nobody, err)
		}
	}
	// A link of the previous version, whose maker is unknown.
	who, err = links.Identify(id, query(t, links.sign(id, "", noon.Add(time.Hour), "")))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := links.Maker(t.Context(), who); err != nil || got.Kind != "" {
		t.Errorf("an old link: %+v, %v", got, err)
	}
	rows[string(id)] = file.Link{}
	if _, err := links.Maker(t.Context(), who); !errors.Is(err, file.ErrLink) {
		t.Errorf("an old link that was ended: %v", err)
	}
}

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
		signed := at(noon, keyA, keyB).sign(id, "sesame", noon.Add(time.Hour), disposition)
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
		// After a rotation a link is accepted as long as its key is still configured.
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
			linkSecret:      {"", "sesam", "sesame "},
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

// A link that was changed in any way opens nothing.
func FuzzLink(f *testing.F) {
	const id = file.ID("a.pdf")
	links := at(noon, keyA)
	signed := links.sign(id, "sesame", noon.Add(time.Hour), "inline")
	f.Add(string(id), signed)
	f.Add("a.pdf\"\n", signed)
	f.Add("a", "expires=1&signature=AAAA")
	f.Fuzz(func(t *testing.T, name, s string) {
		q, err := url.ParseQuery(s)
		if err != nil {
			return
		}
		if _, err := links.Identify(file.ID(name), q); err == nil &&
			(name != string(id) || q.Get(linkDisposition) != "inline") {
			t.Errorf("%q opens %q", s, name)
		}
	})
}
