// Package access is the only access decision: may this identity do this to that.
// Every verb of every route comes through here.
package access

import (
	"holdfast/file"
)

// Create decides who may begin an upload: whoever could be told apart.
func Create(who file.Identity) error {
	if who.Kind == "" || who.AccountID == 0 {
		return file.ErrUnauthenticated
	}
	return nil
}

// Usage decides who may see what an account uses: whoever is of the account.
func Usage(who file.Identity) error { return Create(who) }

// Upload decides about an upload in progress, for every verb: it belongs to who
// began it, and to nobody else.
func Upload(who file.Identity, u *file.Upload) error {
	if same(who, u.Creator) {
		return nil
	}
	return denied(who, u.ID)
}

// Read decides who may see a finished file: who has a link to it, and whoever File lets.
func Read(who file.Identity, r file.Record) error {
	if who.Kind == file.KindLink && who.File == r.ID {
		return nil
	}
	return File(who, r)
}

// File decides about a finished file, for every other verb: for now it is its owner's alone.
func File(who file.Identity, r file.Record) error {
	if who.UserID != 0 && who.UserID == r.UserID && who.AccountID == r.AccountID {
		return nil
	}
	return denied(who, r.ID)
}

// same says whether two identities are one: the same user of the same account by
// whatever token, or the same token where there is no user.
func same(a, b file.Identity) bool {
	if a.Kind == "" || a.Kind != b.Kind || a.AccountID != b.AccountID || a.UserID != b.UserID {
		return false
	}
	return a.UserID != 0 || a.Fingerprint != "" && a.Fingerprint == b.Fingerprint
}

func denied(who file.Identity, id file.ID) error {
	if who.UserID == 0 {
		return file.Refuse(file.ErrDenied, "User anonymous has no access to file '%s'", id)
	}
	return file.Refuse(file.ErrDenied, "User %d has no access to file '%s'", who.UserID, id)
}
