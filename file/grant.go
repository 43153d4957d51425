package file

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Access says who may read a file, besides its owner.
type Access string

const (
	Private    Access = "private"    // nobody else
	Public     Access = "public"     // everybody, with a token or without
	Account    Access = "account"    // everybody of the account
	Restricted Access = "restricted" // the named users, groups and tokens of the same account
)

const (
	// MaxGrants is how many users, groups and tokens one file's grant may hold together.
	MaxGrants = 1000
	// MaxGroupName is the longest name of a group, in bytes.
	MaxGroupName = 128
)

// Grant says who may read a file. Only Restricted has the lists; they are sorted and without
// duplicates.
type Grant struct {
	Access Access
	Users  []int64
	Groups []string
	Tokens []string // fingerprints of public forms' tokens
}

// Clean checks a grant, and sorts its lists and removes duplicates. The error is an ErrInvalid
// that says what is wrong.
func (g *Grant) Clean() error {
	names := len(g.Users) + len(g.Groups) + len(g.Tokens)
	switch g.Access {
	case Private, Public, Account:
		if names > 0 {
			return Refuse(ErrInvalid, "users, groups and tokens go with restricted access, not with %s", g.Access)
		}
		return nil
	case Restricted:
	default:
		return Refuse(ErrInvalid, "access must be private, public, account or restricted")
	}
	switch {
	case names == 0:
		return Refuse(ErrInvalid, "restricted access needs users, groups or tokens")
	case names > MaxGrants:
		return Refuse(ErrInvalid, "at most %d users, groups and tokens may be named", MaxGrants)
	case slices.Min(append([]int64{1}, g.Users...)) < 1:
		return Refuse(ErrInvalid, "users must be positive numbers")
	}
	for _, name := range g.Groups {
		if !ValidGroup(name) {
			return Refuse(ErrInvalid, "groups must be names of 1 to %d bytes without control characters", MaxGroupName)
		}
	}
	g.Users, g.Groups, g.Tokens = sorted(g.Users), sorted(g.Groups), sorted(g.Tokens)
	return nil
}

// ValidGroup reports whether name is a valid name of a group.
func ValidGroup(name string) bool {
	return name != "" && len(name) <= MaxGroupName && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, unicode.IsControl)
}

func sorted[T int64 | string](list []T) []T {
	slices.Sort(list)
	return slices.Compact(list)
}
