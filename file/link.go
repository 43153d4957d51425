package file

import "time"

// Link is a signed link to a file, as it is stored: without the secret, which is only in the link's URL.
type Link struct {
	ID        string // opens nothing by itself
	File      ID
	Maker     Identity // the file is read with the rights of this identity; without a credential
	Sealed    []byte   // the maker's credential, encrypted with a key derived from the link's secret
	CreatedAt time.Time
	ExpiresAt time.Time
}

// LinkMaker says whose links are meant.
type LinkMaker struct {
	AccountID int64
	UserID    int64 // a user's and guest's; 0: those of makers that are no user
	// Kind and Fingerprint are of makers that are no user. An empty Fingerprint stands for all of the kind.
	Kind        Kind
	Fingerprint string
}

// LinkCount is how many links to a file one maker has in force. A maker may be in several: by its kind.
type LinkCount struct {
	Maker Identity // who it is, as far as Same and access need it
	Links int
}
