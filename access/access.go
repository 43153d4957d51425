// Package access is the only access decision: may this identity do this to that.
// Every verb of every route comes through here.
//
//   - An upload in progress is its creator's alone.
//   - A file is its owner's: to read, to grant, to delete. A service may do that with all
//     files of its account.
//   - Others may read a file if it is granted to them: by the grants that are kept with
//     it, or where there is a backend, by that. Of another account, only if the grant is
//     public; so what a backend says is no way into another account, unless CrossAccounts says
//     so.
//   - Whoever has a link may read its file as long as who made the link may.
//   - A public grant lets anybody read, whoever they are and whether they could be told or
//     not.
//
// # Errors
//
// file.ErrDenied for who may not, file.ErrUnauthenticated for who can't begin an upload
// without a name. file.ErrDatabase, file.ErrBackend and file.ErrBackendTimeout when it
// could not be found out.
package access

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"holdfast/file"
)

// Grants is what access needs of SQL.
type Grants interface {
	// Grant says to whom a file is open; private if nothing was said.
	Grant(ctx context.Context, id file.ID) (file.Grant, error)
}

// Permissions is somebody else who knows to whom a file is open; Backend does it.
type Permissions interface {
	// Check returns nil or file.ErrDenied.
	Check(ctx context.Context, who file.Identity, id file.ID) error
}

// Makers says as whom somebody with a link may read; auth.Links does it. The zero Identity is for
// a link that opens its file whoever made it; file.ErrLink for one that was ended.
type Makers interface {
	Maker(ctx context.Context, who file.Identity) (file.Identity, error)
}

// Decider decides about finished files.
type Decider struct {
	grants  Grants
	makers  Makers
	backend Permissions // nil: none
	// CrossAccounts has the backend asked about files of other accounts, too. It is set before the first use.
	CrossAccounts bool
	cache         *decisionCache
}

// New returns a Decider. Where there is a backend it decides, and of the grants only the
// public ones count. What was allowed is cached for ttl; with 0 nothing is cached.
func New(grants Grants, makers Makers, backend Permissions, ttl time.Duration) *Decider {
	return &Decider{grants: grants, makers: makers, backend: backend, cache: newDecisionCache(ttl)}
}

// Create decides who may begin an upload: whoever could be told apart.
func Create(who file.Identity) error {
	if who.Kind == "" || who.AccountID == 0 {
		return file.ErrUnauthenticated
	}
	// The table of files, which other programs share, has no room for more.
	if max(who.UserID, who.AccountID) > math.MaxInt32 {
		return file.Refuse(file.ErrForbidden, "Numbers of users and accounts above %d can't own files", math.MaxInt32)
	}
	return nil
}

// Usage decides who may see what an account uses: its people and programs, and not whoever
// fills in a form of it.
func Usage(who file.Identity) error {
	switch {
	case who.Kind == "" || who.AccountID == 0:
		return file.ErrUnauthenticated
	case who.Kind == file.KindPublic || who.Kind == file.KindLink:
		return file.ErrForbidden
	}
	return nil
}

// Upload decides about an upload in progress, for every verb: it belongs to who
// began it, and to nobody else.
func Upload(who file.Identity, u *file.Upload) error {
	if who.Same(u.Creator) {
		return nil
	}
	return denied(who, u.ID)
}

// Change decides who may delete a file, and say to whom it is open: its owner, and a
// service of its account.
func Change(who file.Identity, r file.Record) error {
	if who.Same(r.Owner()) || who.Kind == file.KindService && who.AccountID == r.AccountID {
		return nil
	}
	return denied(who, r.ID)
}

// List decides whose files somebody may list: a user's own, and all of its account (user 0)
// for a service. Many may hold the same form's token, and one must not learn of another's
// files: they are refused with file.ErrForbidden.
func List(who file.Identity) (userID int64, err error) {
	switch {
	case who.Kind == "":
		return 0, file.ErrUnauthenticated
	case who.Kind == file.KindService:
		return 0, nil
	case who.Kind == file.KindLink || who.UserID == 0:
		return 0, file.ErrForbidden
	}
	return who.UserID, nil
}

// Read decides who may see a finished file.
func (d *Decider) Read(ctx context.Context, who file.Identity, r file.Record) error {
	if who.Kind == file.KindLink && who.File == r.ID {
		return d.linked(ctx, who, r)
	}
	if Change(who, r) == nil {
		return nil
	}
	return d.granted(ctx, who, r)
}

// linked decides about somebody with a link to a file: it opens what its maker may read.
func (d *Decider) linked(ctx context.Context, who file.Identity, r file.Record) error {
	maker, err := d.makers.Maker(ctx, who)
	if err != nil || maker.Kind == "" {
		return err
	}
	if err = d.Read(ctx, maker, r); errors.Is(err, file.ErrDenied) {
		return fmt.Errorf("its maker may not read: %w", file.ErrLink)
	}
	return err
}

// Grantable refuses a grant that would change nothing.
func (d *Decider) Grantable(g file.Grant) error {
	if d.backend != nil && (g.Access == file.Account || g.Access == file.Restricted) {
		return file.Refuse(file.ErrInvalid, "The backend decides who of the account may read a file: access must be "+
			"private or public")
	}
	return nil
}

// Invalidate drops the cached decisions about a file. It has to be called when its grant was changed.
func (d *Decider) Invalidate(id file.ID) { d.cache.invalidate(id) }

// granted decides about who has to be let in by somebody else.
func (d *Decider) granted(ctx context.Context, who file.Identity, r file.Record) error {
	return d.cache.find(ctx, who, r, func(ctx context.Context) error { return d.ask(ctx, who, r) })
}

// ask asks the grant that is kept with the file, and then the backend.
func (d *Decider) ask(ctx context.Context, who file.Identity, r file.Record) error {
	g, err := d.grants.Grant(ctx, r.ID)
	switch {
	case err != nil:
		return err
	case g.Access == file.Public:
		return nil
	case who.Kind == "" || who.Kind == file.KindLink,
		who.AccountID != r.AccountID && (d.backend == nil || !d.CrossAccounts):
		return denied(who, r.ID)
	case d.backend == nil && lets(g, who):
		return nil
	case d.backend == nil:
		return denied(who, r.ID)
	}
	err = d.backend.Check(ctx, who, r.ID)
	if errors.Is(err, file.ErrDenied) {
		return denied(who, r.ID)
	}
	return err
}

// lets says whether a grant lets in somebody of the file's own account.
func lets(g file.Grant, who file.Identity) bool {
	switch g.Access {
	case file.Account:
		return true
	case file.Restricted:
		return who.UserID != 0 && slices.Contains(g.Users, who.UserID) ||
			who.Kind == file.KindPublic && slices.Contains(g.Tokens, who.Fingerprint) ||
			slices.ContainsFunc(who.Groups, func(name string) bool { return slices.Contains(g.Groups, name) })
	}
	return false
}

func denied(who file.Identity, id file.ID) error {
	if who.UserID == 0 {
		return file.Refuse(file.ErrDenied, "User anonymous has no access to file '%s'", id)
	}
	return file.Refuse(file.ErrDenied, "User %d has no access to file '%s'", who.UserID, id)
}
