// Package file holds Holdfast's basic types: the ID and Record of a file, the Upload it
// came from, the Identity of a caller, clean names and types, and the kinds of
// error. It depends on nothing but the standard library and golang.org/x/text (Unicode
// normalisation, names of charsets), and everything else depends on it.
package file

import "time"

// Location is the place of an object in the store.
type Location struct {
	Bucket string
	Key    string
}

// Record is a finished file. It exists if and only if its object is complete.
type Record struct {
	ID        ID
	Name      string // clean, see CleanName
	Type      string // clean, see CleanType
	Size      int64  // bytes
	UserID    int64  // 0: none (an anonymous upload)
	AccountID int64
	Uploader  string // fingerprint of the token that uploaded it; empty if UserID is set
	CreatedAt time.Time
	Location  Location
	ETag      string // the store's own tag of the object; empty if unknown
	SHA256    []byte // of the whole content; nil if unknown
	EntityTag string // the ETag that clients know, if it is neither the SHA-256 nor the store's tag; else empty
}

// ValidTime reports whether a record can have been created at t: both databases, JSON and cursors have room for the
// years 1 to 9999 in UTC. The zero time stands for one that is not known.
func ValidTime(t time.Time) bool {
	year := t.UTC().Year()
	return !t.IsZero() && year >= 1 && year <= 9999
}

// Owner is the identity that a file belongs to; see Identity.Same.
func (r Record) Owner() Identity {
	return Identity{UserID: r.UserID, AccountID: r.AccountID, Fingerprint: r.Uploader}
}

// MaxTokenName is the longest name of a token, in bytes.
const MaxTokenName = MaxGroupName

// ValidTokenName reports whether name is a valid name of a token, which needs none.
func ValidTokenName(name string) bool { return name == "" || ValidGroup(name) }

// Token is a local token. Only its hash is stored; its text is shown once. A token without a
// user is a service's.
type Token struct {
	ID        string
	Hash      []byte // SHA-256 of the token's text
	Name      string
	UserID    int64
	AccountID int64
	Groups    []string
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: not revoked
}

// Usage is what an account uses, including what its unfinished uploads have reserved.
type Usage struct {
	Bytes int64
	Files int64
}

// AccountUse is one account's use of the service.
type AccountUse struct {
	ID    int64
	Usage Usage
	Quota Quota
	Own   bool // the quota is set for this account, and not the default
}

// Quota is what an account may use; 0 is no limit.
type Quota struct {
	Bytes int64
	Files int64
}
