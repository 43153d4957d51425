package file

import "time"

// Link is a signed link to a file, as it is kept: without the secret that only its address has.
type Link struct {
	ID        string // tells it from others, and opens nothing
	File      ID
	Maker     Identity // as whom it opens the file; without a credential
	Sealed    []byte   // the maker's credential, under a key made of the link's secret
	CreatedAt time.Time
	ExpiresAt time.Time
}
