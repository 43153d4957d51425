package access

import (
	"errors"
	"testing"

	"holdfast/file"
)

func TestWhoseLinksEnd(t *testing.T) {
	for _, c := range []struct {
		name string
		who  file.Identity
		user int64
		want file.LinkMaker
		err  error
	}{
		{"one's own", other, 0, file.LinkMaker{AccountID: 1, UserID: 2}, nil},
		{"one's own, by number", other, 2, file.LinkMaker{AccountID: 1, UserID: 2}, nil},
		{"a colleague's", other, 1, file.LinkMaker{}, file.ErrForbidden},
		{"a guest's own", guest, 0, file.LinkMaker{AccountID: 1, UserID: 4}, nil},
		{"a form's", public, 0, file.LinkMaker{AccountID: 1, Kind: file.KindPublic, Fingerprint: "f"}, nil},
		{"a user's, by a form", public, 1, file.LinkMaker{}, file.ErrForbidden},
		{"a service's own", service, 0, file.LinkMaker{AccountID: 1, Kind: file.KindService, Fingerprint: "s"}, nil},
		{"a user's, by a service", service, 2, file.LinkMaker{AccountID: 1, UserID: 2}, nil},
		{"a user's, by a service elsewhere", serviceTo, 2, file.LinkMaker{AccountID: 2, UserID: 2}, nil},
		{"of a form without a token", file.Identity{Kind: file.KindPublic, AccountID: 1}, 0, file.LinkMaker{},
			file.ErrForbidden},
		{"a link's", link, 0, file.LinkMaker{}, file.ErrUnauthenticated},
		{"nobody's", nobody, 0, file.LinkMaker{}, file.ErrUnauthenticated},
	} {
		if got, err := EndLinksOf(c.who, c.user); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %+v %v", c.name, got, err)
		}
	}
}
