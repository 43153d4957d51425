package access

import (
	"errors"
	"testing"

	"holdfast/file"
)

var (
	owner     = file.Identity{Kind: file.KindUser, UserID: 1, AccountID: 1}
	other     = file.Identity{Kind: file.KindUser, UserID: 2, AccountID: 1}
	elsewhere = file.Identity{Kind: file.KindUser, UserID: 1, AccountID: 2}
	public    = file.Identity{Kind: "public", AccountID: 1, Fingerprint: "f"}
	public2   = file.Identity{Kind: "public", AccountID: 1, Fingerprint: "g"}
	nobody    = file.Identity{}
)

func TestDecisions(t *testing.T) {
	mine := file.Record{ID: "r", UserID: 1, AccountID: 1}
	ownerless := file.Record{ID: "r", AccountID: 1}
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"the owner's file", File(owner, mine), nil},
		{"a colleague's file", File(other, mine), file.ErrDenied},
		{"the same number in another account", File(elsewhere, mine), file.ErrDenied},
		{"nobody", File(nobody, mine), file.ErrDenied},
		{"nobody and a file of no user", File(nobody, ownerless), file.ErrDenied},
		{"public and a file of no user", File(public, ownerless), file.ErrDenied},
		{"the creator's upload", Upload(owner, &file.Upload{Creator: owner}), nil},
		{"a colleague's upload", Upload(other, &file.Upload{Creator: owner}), file.ErrDenied},
		{"an upload in another account", Upload(elsewhere, &file.Upload{Creator: owner}), file.ErrDenied},
		{"the same public token", Upload(public, &file.Upload{Creator: public}), nil},
		{"another public token", Upload(public2, &file.Upload{Creator: public}), file.ErrDenied},
		{"nobody's upload", Upload(nobody, &file.Upload{}), file.ErrDenied},
		{"create", Create(owner), nil},
		{"create as nobody", Create(nobody), file.ErrUnauthenticated},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.err, c.want)
		}
	}
}
