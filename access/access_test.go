package access

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/file"
)

var (
	owner     = file.Identity{Kind: file.KindUser, UserID: 1, AccountID: 1}
	other     = file.Identity{Kind: file.KindUser, UserID: 2, AccountID: 1}
	staff     = file.Identity{Kind: file.KindUser, UserID: 3, AccountID: 1, Groups: []string{"x", "staff"}}
	elsewhere = file.Identity{Kind: file.KindUser, UserID: 1, AccountID: 2, Groups: []string{"staff"}}
	guest     = file.Identity{Kind: file.KindGuest, UserID: 4, AccountID: 1}
	ownGuest  = file.Identity{Kind: file.KindGuest, UserID: 1, AccountID: 1}
	public    = file.Identity{Kind: file.KindPublic, AccountID: 1, Fingerprint: "f"}
	public2   = file.Identity{Kind: file.KindPublic, AccountID: 1, Fingerprint: "g"}
	publicOut = file.Identity{Kind: file.KindPublic, AccountID: 2, Fingerprint: "g"}
	service   = file.Identity{Kind: file.KindService, AccountID: 1, Fingerprint: "s"}
	serviceTo = file.Identity{Kind: file.KindService, AccountID: 2, Fingerprint: "t"}
	link      = file.Identity{Kind: file.KindLink, File: "r"}
	wrongLink = file.Identity{Kind: file.KindLink, File: "q"}
	nobody    = file.Identity{}
)

func TestList(t *testing.T) {
	for _, c := range []struct {
		name string
		who  file.Identity
		user int64
		want error
	}{
		{"a user", other, 2, nil}, {"a guest", guest, 4, nil}, {"a service", service, 0, nil},
		{"a form", public, 0, file.ErrForbidden}, {"a link", link, 0, file.ErrForbidden},
		{"nobody", nobody, 0, file.ErrUnauthenticated},
	} {
		if user, err := List(c.who); user != c.user || !errors.Is(err, c.want) {
			t.Errorf("%s: %d %v", c.name, user, err)
		}
	}
}

func TestDecisionsWithoutGrants(t *testing.T) {
	mine := file.Record{ID: "r", UserID: 1, AccountID: 1}
	ownerless := file.Record{ID: "r", AccountID: 1}
	publics := file.Record{ID: "r", AccountID: 1, Uploader: "f"}
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"the owner's file", Change(owner, mine), nil},
		{"a colleague's file", Change(other, mine), file.ErrDenied},
		{"the same number in another account", Change(elsewhere, mine), file.ErrDenied},
		{"nobody", Change(nobody, mine), file.ErrDenied},
		{"nobody and a file of no user", Change(nobody, ownerless), file.ErrDenied},
		{"public and a file of no user", Change(public, ownerless), file.ErrDenied},
		{"public and what the same token brought", Change(public, publics), nil},
		{"public and what another token brought", Change(public2, publics), file.ErrDenied},
		{"a service of the account", Change(service, mine), nil},
		{"a service of another account", Change(serviceTo, mine), file.ErrDenied},
		{"a link changes nothing", Change(link, mine), file.ErrDenied},
		{"the creator's upload", Upload(owner, &file.Upload{Creator: owner}), nil},
		{"one's own upload, as a guest", Upload(ownGuest, &file.Upload{Creator: owner}), nil},
		{"a guest's upload, as the user that the guest is", Upload(owner, &file.Upload{Creator: ownGuest}), nil},
		{"one's own file, as a guest", Change(ownGuest, mine), nil},
		{"a colleague's upload", Upload(other, &file.Upload{Creator: owner}), file.ErrDenied},
		{"an upload in another account", Upload(elsewhere, &file.Upload{Creator: owner}), file.ErrDenied},
		{"a service and an upload in progress", Upload(service, &file.Upload{Creator: owner}), file.ErrDenied},
		{"the same public token", Upload(public, &file.Upload{Creator: public}), nil},
		{"another public token", Upload(public2, &file.Upload{Creator: public}), file.ErrDenied},
		{"nobody's upload", Upload(nobody, &file.Upload{}), file.ErrDenied},
		{"create", Create(owner), nil},
		{"create as a public token", Create(public), nil},
		{"create as nobody", Create(nobody), file.ErrUnauthenticated},
		{"create by a link", Create(link), file.ErrUnauthenticated},
		{"create with a number that has no room", Create(file.Identity{Kind: file.KindUser, UserID: math.MaxInt32 + 1,
			AccountID: 1}), file.ErrForbidden},
		{"create in an account that has no room", Create(file.Identity{Kind: file.KindUser, UserID: 1,
			AccountID: math.MaxInt32 + 1}), file.ErrForbidden},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.err, c.want)
		}
	}
}

// kept is the grant of every file.
type kept struct {
	g     file.Grant
	err   error
	asked int
}

func (k *kept) Grant(context.Context, file.ID) (file.Grant, error) { k.asked++; return k.g, k.err }

// answering is a backend that always gives the same answer.
type answering struct {
	err   error
	asked int
}

func (a *answering) Check(context.Context, file.Identity, file.ID) error { a.asked++; return a.err }

func TestWhoMayRead(t *testing.T) {
	callers := []file.Identity{owner, other, staff, elsewhere, guest, public, public2, publicOut, service, serviceTo, link,
		wrongLink, nobody}
	private := file.Grant{Access: file.Private}
	everybody := file.Grant{Access: file.Public}
	account := file.Grant{Access: file.Account}
	named := file.Grant{Access: file.Restricted, Users: []int64{2, 4}}
	groups := file.Grant{Access: file.Restricted, Groups: []string{"board", "staff"}}
	tokens := file.Grant{Access: file.Restricted, Tokens: []string{"g", "s"}}
	yes, no, down := &answering{}, &answering{err: file.ErrDenied}, &answering{err: file.ErrBackend}
	for _, c := range []struct {
		name    string
		grant   file.Grant
		backend Permissions
		want    string // of each caller: y allowed, n denied, ! undecided
	}{
		//                               o o s e g p p p s s l w n
		{"private", private, nil /*   */, "ynnnnnnnynynn"},
		{"public", everybody, nil /*  */, "yyyyyyyyyyyyy"},
		{"account", account, nil /*   */, "yyynyyynynynn"},
		{"users", named, nil /*       */, "yynnynnnynynn"},
		{"groups", groups, nil /*     */, "ynynnnnnynynn"},
		{"tokens", tokens, nil /*     */, "ynnnnnynynynn"},
		{"backend allows", private, yes, "yyynyyynynynn"},
		{"backend denies", private, no, "ynnnnnnnynynn"},
		{"backend denies, public", everybody, no, "yyyyyyyyyyyyy"},
		{"backend denies, account", account, no, "ynnnnnnnynynn"},
		{"backend is down", private, down, "y!!n!!!nynynn"},
	} {
		for _, ttl := range []time.Duration{0, time.Minute} {
			d := New(&kept{g: c.grant}, unnamed, c.backend, ttl)
			for i, who := range callers {
				for range 2 {
					want := map[byte]error{'y': nil, 'n': file.ErrDenied, '!': file.ErrBackend}[c.want[i]]
					if err := d.Read(t.Context(), who, file.Record{ID: "r", UserID: 1, AccountID: 1}); !errors.Is(err, want) {
						t.Errorf("%s, cached for %s: %+v: %v, want %v", c.name, ttl, who, err, want)
					}
				}
			}
		}
	}
	d := New(&kept{err: file.ErrDatabase}, unnamed, yes, 0)
	if err := d.Read(t.Context(), other, file.Record{ID: "r", UserID: 1,
		AccountID: 1}); !errors.Is(err, file.ErrDatabase) {
		t.Errorf("with the database down: %v", err)
	}
}

// A caller can't read files of another account even if the backend would allow it. The backend
// is not even asked.
func TestAnotherAccountsFileGrantedByTheBackend(t *testing.T) {
	backend := &answering{}
	d := New(&kept{g: file.Grant{Access: file.Private}}, unnamed, backend, time.Minute)
	for _, who := range []file.Identity{elsewhere, publicOut, serviceTo, {Kind: file.KindGuest, UserID: 9, AccountID: 2}} {
		if err := d.Read(t.Context(), who, file.Record{ID: "r", UserID: 1, AccountID: 1}); !errors.Is(err, file.ErrDenied) {
			t.Errorf("%+v: %v", who, err)
		}
	}
	if backend.asked != 0 {
		t.Errorf("the backend was asked %d times", backend.asked)
	}
}

// With CrossAccounts the backend decides about files of other accounts, too, but only about reading.
func TestBackendMayCrossAccounts(t *testing.T) {
	r := file.Record{ID: "r", UserID: 1, AccountID: 1}
	for answer, want := range map[error]error{nil: nil, file.ErrDenied: file.ErrDenied, file.ErrBackend: file.ErrBackend} {
		backend := &answering{err: answer}
		d := New(&kept{g: file.Grant{Access: file.Private}}, unnamed, backend, 0)
		d.CrossAccounts = true
		if err := d.Read(t.Context(), elsewhere, r); !errors.Is(err, want) || backend.asked != 1 {
			t.Errorf("the backend says %v: %v, asked %d times", answer, err, backend.asked)
		}
		for _, who := range []file.Identity{nobody, wrongLink} {
			if err := d.Read(t.Context(), who, r); !errors.Is(err, file.ErrDenied) || backend.asked != 1 {
				t.Errorf("%+v: %v, asked %d times", who, err, backend.asked)
			}
		}
		if err := Change(elsewhere, r); !errors.Is(err, file.ErrDenied) {
			t.Errorf("it may change the file: %v", err)
		}
	}
	alone := New(&kept{g: file.Grant{Access: file.Account}}, unnamed, nil, 0) // no effect without a backend
	alone.CrossAccounts = true
	if err := alone.Read(t.Context(), elsewhere, r); !errors.Is(err, file.ErrDenied) {
		t.Errorf("without a backend: %v", err)
	}
}

func TestWhatIsCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		grants := &kept{g: file.Grant{Access: file.Restricted, Users: []int64{2}}}
		d := New(grants, unnamed, nil, 10*time.Second)
		defer d.cache.allowed.Close()
		r := file.Record{ID: "r", UserID: 1, AccountID: 1}
		read := func(who file.Identity) error { return d.Read(t.Context(), who, r) }
		if err := errors.Join(read(other), read(other), read(other)); err != nil || grants.asked != 1 {
			t.Fatalf("%v, asked %d times", err, grants.asked)
		}
		// Refusals are never cached, and one caller's cached decision is never used for another.
		for range 2 {
			if err := read(guest); !errors.Is(err, file.ErrDenied) {
				t.Errorf("somebody else: %v", err)
			}
		}
		grants.g.Users = []int64{4}
		if err := read(guest); err != nil {
			t.Errorf("who is let in is let in at once: %v", err)
		}
		if err := read(other); err != nil {
			t.Errorf("within the time: %v", err)
		}
		d.Invalidate("r")
		if err := read(other); !errors.Is(err, file.ErrDenied) {
			t.Errorf("when the grant was changed here: %v", err)
		}
		grants.g.Users = nil
		time.Sleep(11 * time.Second)
		if err := read(guest); !errors.Is(err, file.ErrDenied) {
			t.Errorf("when the time is over: %v", err)
		}
	})
}

// A decision is cached per credential: the backend may decide differently for two tokens of one person.
func TestCachedByCredential(t *testing.T) {
	backend := &answering{}
	d := New(&kept{g: file.Grant{Access: file.Private}}, unnamed, backend, time.Minute)
	with := func(token string) error {
		who := guest
		who.Credential = file.NewCredential("X-Guest-Authorization", token)
		return d.Read(t.Context(), who, file.Record{ID: "r", UserID: 1, AccountID: 1})
	}
	if err := errors.Join(with("a"), with("a")); err != nil || backend.asked != 1 {
		t.Fatalf("%v, asked %d times", err, backend.asked)
	}
	backend.err = file.ErrDenied
	if err := with("b"); !errors.Is(err, file.ErrDenied) {
		t.Errorf("for another task: %v", err)
	}
}

// A grant is withdrawn while a decision based on it is in flight.
func TestDecisionOvertakenByAChange(t *testing.T) {
	begun, proceed := make(chan struct{}), make(chan struct{})
	m := newDecisionCache(time.Minute)
	r := file.Record{ID: "r"}
	done := make(chan error)
	go func() {
		done <- m.find(t.Context(), other, r, func(context.Context) error { close(begun); <-proceed; return nil })
	}()
	<-begun
	m.invalidate("r")
	close(proceed)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := m.find(t.Context(), other, r,
		func(context.Context) error { return file.ErrDenied }); !errors.Is(err, file.ErrDenied) {
		t.Errorf("the old decision is cached: %v", err)
	}
}

func TestGrantable(t *testing.T) {
	for access, want := range map[file.Access]error{file.Private: nil, file.Public: nil, file.Account: file.ErrInvalid,
		file.Restricted: file.ErrInvalid} {
		if err := New(&kept{}, unnamed, nil, 0).Grantable(file.Grant{Access: access}); err != nil {
			t.Errorf("%s without a backend: %v", access, err)
		}
		if err := New(&kept{}, unnamed, &answering{}, 0).Grantable(file.Grant{Access: access}); !errors.Is(err, want) {
			t.Errorf("%s with a backend: %v", access, err)
		}
	}
}

func TestUsage(t *testing.T) {
	for kind, want := range map[file.Kind]error{"": file.ErrUnauthenticated, file.KindUser: nil, file.KindGuest: nil,
		file.KindService: nil,
		file.KindPublic:  file.ErrForbidden, file.KindLink: file.ErrForbidden} {
		if err := Usage(file.Identity{Kind: kind, AccountID: 1}); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", kind, err, want)
		}
	}
}

// makers returns the maker of a bearer's link.
type makers func(who file.Identity) (file.Identity, error)

func (m makers) Maker(_ context.Context, who file.Identity) (file.Identity, error) { return m(who) }

// unnamed stands for links of the previous version, which have no maker.
var unnamed = makers(func(file.Identity) (file.Identity, error) { return file.Identity{}, nil })

// A link opens its file only while its maker may read the file.
func TestLinkOfWhoMayReadNoMore(t *testing.T) {
	r := file.Record{ID: "f", UserID: 1, AccountID: 1}
	with := file.Identity{Kind: file.KindLink, File: "f"}
	colleague := file.Identity{Kind: file.KindUser, UserID: 2, AccountID: 1}
	for _, c := range []struct {
		name  string
		maker file.Identity
		grant file.Grant
		ended error
		want  error
	}{
		{"the owner's", file.Identity{Kind: file.KindUser, UserID: 1, AccountID: 1}, file.Grant{Access: file.Private}, nil,
			nil},
		{"a colleague's", colleague, file.Grant{Access: file.Restricted, Users: []int64{2}}, nil, nil},
		{"a colleague's, who may no more", colleague, file.Grant{Access: file.Private}, nil, file.ErrLink},
		{"a stranger's, of a file that was public", file.Identity{Kind: file.KindUser, UserID: 9, AccountID: 9},
			file.Grant{Access: file.Private}, nil, file.ErrLink},
		{"one that was ended", file.Identity{}, file.Grant{Access: file.Private}, file.ErrLink, file.ErrLink},
		{"one that nobody can look up", file.Identity{}, file.Grant{Access: file.Private}, file.ErrDatabase,
			file.ErrDatabase},
		{"one of the version before", file.Identity{}, file.Grant{Access: file.Private}, nil, nil},
	} {
		d := New(&kept{g: c.grant}, makers(func(file.Identity) (file.Identity, error) { return c.maker, c.ended }), nil, 0)
		if err := d.Read(t.Context(), with, r); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}
