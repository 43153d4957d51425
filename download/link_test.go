package download

import (
	"errors"
	"slices"
	"testing"

	"holdfast/file"
)

// Each maker has room of its own for links to a file. Readers share room, too, but not that of the owner and of
// services of the account.
func TestLinksOfAFileAreBounded(t *testing.T) {
	user := func(id, account int64) file.Identity {
		return file.Identity{Kind: file.KindUser, UserID: id, AccountID: account}
	}
	service := func(account int64, token string) file.Identity {
		return file.Identity{Kind: file.KindService, AccountID: account, Fingerprint: token}
	}
	owner, guest := user(1, 1), file.Identity{Kind: file.KindGuest, UserID: 1, AccountID: 1}
	program, other := service(1, "a"), service(1, "b")
	reader, foreign, form := user(2, 1), service(2, "a"),
		file.Identity{Kind: file.KindPublic, AccountID: 1, Fingerprint: "f"}
	rec := file.Record{ID: "id", UserID: 1, AccountID: 1}
	type made = []file.LinkCount
	var crowd made // of readers that have all the room of readers
	for id := range int64(maxReadersLinks / maxLinks) {
		crowd = append(crowd, file.LinkCount{Maker: user(1, 2+id), Links: maxLinks})
	}
	for name, c := range map[string]struct {
		made made
		none []file.Identity // for whom there is no room
	}{
		"nothing":             {},
		"one less":            {made: made{{Maker: owner, Links: maxLinks - 1}}},
		"the owner's":         {made{{Maker: owner, Links: maxLinks}}, []file.Identity{owner}},
		"the owner's, by two": {made{{Maker: owner, Links: maxLinks - 1}, {Maker: guest, Links: 1}}, []file.Identity{guest}},
		"a program's":         {made{{Maker: program, Links: maxLinks + 1}}, []file.Identity{program}},
		"a reader's":          {made{{Maker: reader, Links: maxLinks}}, []file.Identity{reader}},
		"a form's":            {made{{Maker: form, Links: maxLinks}}, []file.Identity{form}},
		"a foreign program's": {made{{Maker: foreign, Links: maxLinks}}, []file.Identity{foreign}},
		"all readers'":        {crowd, []file.Identity{reader, foreign, form}},
		"nearly all readers'": {made: crowd[1:]},
	} {
		for _, who := range []file.Identity{owner, guest, program, other, reader, foreign, form} {
			room := !slices.ContainsFunc(c.none, who.Same)
			if err := roomForLink(who, rec, c.made); (err == nil) != room || err != nil && !errors.Is(err, file.ErrForbidden) {
				t.Errorf("%s: %+v: %v", name, who, err)
			}
		}
	}
}
