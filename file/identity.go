package file

import (
	"fmt"
	"io"
	"log/slog"
	"math"
)

// MaxNumber is the greatest number of a user or an account that can own files: the table of files, which other programs
// share, has 32-bit columns for these numbers.
const MaxNumber = math.MaxInt32

// Kind says how an identity was established.
type Kind string

const (
	KindUser    Kind = "user"    // a person with an account
	KindGuest   Kind = "guest"   // a person with a token for one task; also has a user id
	KindPublic  Kind = "public"  // a visitor of a public or embedded form of an account
	KindService Kind = "service" // a program of an account, such as a backend
	KindLink    Kind = "link"    // the bearer of a signed link to one file
)

// Identity is the identity of a caller. The zero Identity is anonymous.
type Identity struct {
	Kind        Kind
	UserID      int64 // 0: none
	AccountID   int64
	Fingerprint string   // of the token, for identities without a user
	Visitor     string   // of KindPublic: which of those who share the token. It gives no rights, and names no address
	Groups      []string // of KindUser: what grants may name
	File        ID       // of KindLink: the one file it opens
	// Credential is the credential that the caller presented, if the backend knows it too.
	Credential Credential
}

// Principal names the person or program that an identity stands for: the user of an account, whatever kind of token
// was presented (a guest's token names a user, too); without a user, the token of an account. It is empty if neither
// is known: for anonymous requests and for links. Package db has the same rule in SQL.
func (i Identity) Principal() string {
	switch {
	case i.UserID != 0:
		return fmt.Sprintf("user:%d:%d", i.AccountID, i.UserID)
	case i.Fingerprint != "":
		return fmt.Sprintf("token:%d:%s", i.AccountID, i.Fingerprint)
	default:
		return ""
	}
}

// Same reports whether two identities are known to be the same person or program.
func (i Identity) Same(other Identity) bool {
	p := i.Principal()
	return p != "" && p == other.Principal()
}

// Credential is a request header with a token in it, in the form in which the backend
// accepts it. Printing or logging it never shows the token.
type Credential struct{ header, value string }

// NewCredential returns the credential in a request header.
func NewCredential(header, value string) Credential { return Credential{header, value} }

// Reveal returns the header's name and value; both are empty if there is none.
func (c Credential) Reveal() (header, value string) { return c.header, c.value }

// Equal reports whether two credentials are the same.
func (c Credential) Equal(other Credential) bool { return c == other }

// Format hides the token from every verb of fmt.
func (c Credential) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[hidden]") }

// LogValue hides the token from logs.
func (c Credential) LogValue() slog.Value { return slog.StringValue("[hidden]") }
