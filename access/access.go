// Package access makes every access decision: may this identity do this to this file or
// upload. Every verb of every route is decided here.
//
//   - Only its creator has access to an upload in progress.
//   - The owner of a file may read it, change its grant and delete it. A service may do that
//     with all files of its account.
//   - Other callers may read a file if they are granted access: by the grant stored with the
//     file or, if there is a backend, by the backend. Callers of another account need a public
//     grant; so the backend can't open a file to another account, unless CrossAccounts is
//     set.
//   - The bearer of a link may read its file as long as the maker of the link may.
//   - A public grant lets every caller read the file, anonymous ones included.
//
// # Errors
//
// file.ErrDenied if access is denied, file.ErrUnauthenticated for an anonymous caller who
// begins an upload. file.ErrDatabase, file.ErrBackend and file.ErrBackendTimeout if the
// decision could not be made.
package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast/file"
)

// Grants is what access needs of SQL.
type Grants interface {
	// Grant returns the grant of a file; private if none was set.
	Grant(ctx context.Context, id file.ID) (file.Grant, error)
}

// Permissions decides outside of Holdfast who may read a file. Backend implements it.
type Permissions interface {
	// Check returns nil or file.ErrDenied.
	Check(ctx context.Context, who file.Identity, id file.ID) error
}

// Makers finds the maker of a link, with whose rights its bearer reads the file. auth.Links implements it.
// The zero Identity stands for a link that is good whoever made it; file.ErrLink for one that was revoked.
type Makers interface {
	Maker(ctx context.Context, who file.Identity) (file.Identity, error)
}

// Decider decides about finished files.
type Decider struct {
	grants  Grants
	makers  Makers
	backend Permissions // nil: none
	// CrossAccounts lets the backend decide about files of other accounts, too. It must be set before the first use.
	CrossAccounts bool
	cache         *decisionCache
}

// New returns a Decider. If there is a backend, it decides, and only public grants count
// beside it. Allowed reads are cached for ttl; with 0 nothing is cached.
func New(grants Grants, makers Makers, backend Permissions, ttl time.Duration) *Decider {
	return &Decider{grants: grants, makers: makers, backend: backend, cache: newDecisionCache(ttl)}
}

// Create decides who may begin an upload: every authenticated caller of an account.
func Create(who file.Identity) error {
	if who.Kind == "" || who.AccountID == 0 {
		return file.ErrUnauthenticated
	}
	if max(who.UserID, who.AccountID) > file.MaxNumber {
		return file.Refuse(file.ErrForbidden, "Numbers of users and accounts above %d can't own files", file.MaxNumber)
	}
	return nil
}

// Usage decides who may see what an account uses: its people and programs, but not the
// visitors of its forms.
func Usage(who file.Identity) error {
	switch {
	case who.Kind == "" || who.AccountID == 0:
		return file.ErrUnauthenticated
	case who.Kind == file.KindPublic || who.Kind == file.KindLink:
		return file.ErrForbidden
	}
	return nil
}

// Upload decides about an upload in progress, for every verb: only its creator has
// access.
func Upload(who file.Identity, u *file.Upload) error {
	if who.Same(u.Creator) {
		return nil
	}
	return errDenied(who, u.ID)
}

// Change decides who may delete a file and set its grant: its owner, and a service of its
// account.
func Change(who file.Identity, r file.Record) error {
	if who.Same(r.Owner()) || who.Kind == file.KindService && who.AccountID == r.AccountID {
		return nil
	}
	return errDenied(who, r.ID)
}

// EndLinksOf decides whose links a caller may end all at once: its own, or, if user is not 0, those of that user. For
// another user's it must be a service of the user's account.
func EndLinksOf(who file.Identity, user int64) (file.LinkMaker, error) {
	switch {
	case who.Kind == "" || who.AccountID == 0:
		return file.LinkMaker{}, file.ErrUnauthenticated
	case user != 0 && user != who.UserID && who.Kind != file.KindService,
		user == 0 && who.UserID == 0 && who.Fingerprint == "": // no maker is the same as such a caller
		return file.LinkMaker{}, file.ErrForbidden
	case user != 0 || who.UserID != 0:
		return file.LinkMaker{AccountID: who.AccountID, UserID: max(user, who.UserID)}, nil
	}
	return file.LinkMaker{AccountID: who.AccountID, Kind: who.Kind, Fingerprint: who.Fingerprint}, nil
}

// List decides whose files a caller may list: users their own, services all of their account
// (user 0). Visitors of a form are refused with file.ErrForbidden: they share one token, and
// must not learn of each other's files.
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
		return d.checkLink(ctx, who, r)
	}
	if Change(who, r) == nil {
		return nil
	}
	return d.checkGrant(ctx, who, r)
}

// checkLink decides about the bearer of a link: the bearer may read the file if the link's maker may.
func (d *Decider) checkLink(ctx context.Context, who file.Identity, r file.Record) error {
	maker, err := d.makers.Maker(ctx, who)
	if err != nil || maker.Kind == "" {
		return err
	}
	if err = d.Read(ctx, maker, r); errors.Is(err, file.ErrDenied) {
		return fmt.Errorf("its maker may not read: %w", file.ErrLink)
	}
	return err
}

// Grantable refuses a grant that would have no effect.
func (d *Decider) Grantable(g file.Grant) error {
	if d.backend != nil && (g.Access == file.Account || g.Access == file.Restricted) {
		return file.Refuse(file.ErrInvalid, "The backend decides who of the account may read a file: access must be "+
			"private or public")
	}
	return nil
}

// Invalidate drops the cached decisions about a file. It must be called after the file's grant was changed.
func (d *Decider) Invalidate(id file.ID) { d.cache.invalidate(id) }

// checkGrant decides about callers who need a grant, or the backend's permission.
func (d *Decider) checkGrant(ctx context.Context, who file.Identity, r file.Record) error {
	return d.cache.find(ctx, who, r, func(ctx context.Context) error { return d.ask(ctx, who, r) })
}

// ask checks the grant stored with the file, and then asks the backend.
func (d *Decider) ask(ctx context.Context, who file.Identity, r file.Record) error {
	g, err := d.grants.Grant(ctx, r.ID)
	switch {
	case err != nil:
		return err
	case g.Access == file.Public:
		return nil
	case who.Kind == "" || who.Kind == file.KindLink,
		who.AccountID != r.AccountID && (d.backend == nil || !d.CrossAccounts):
		return errDenied(who, r.ID)
	case d.backend == nil && permits(g, who):
		return nil
	case d.backend == nil:
		return errDenied(who, r.ID)
	}
	err = d.backend.Check(ctx, who, r.ID)
	if errors.Is(err, file.ErrDenied) {
		return errDenied(who, r.ID)
	}
	return err
}

// permits reports whether a grant allows access to a caller of the file's own account.
func permits(g file.Grant, who file.Identity) bool {
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

func errDenied(who file.Identity, id file.ID) error {
	if who.UserID == 0 {
		return file.Refuse(file.ErrDenied, "User anonymous has no access to file '%s'", id)
	}
	return file.Refuse(file.ErrDenied, "User %d has no access to file '%s'", who.UserID, id)
}
