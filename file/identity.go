package file

import "fmt"

// Principal names who an identity is, in text: a user of an account, by whatever token,
// or the token where there is no user. It is empty where neither is known, as of somebody
// with a link.
func (i Identity) Principal() string {
	switch {
	case i.UserID != 0:
		return fmt.Sprintf("%s:%d:%d", i.Kind, i.AccountID, i.UserID)
	case i.Fingerprint != "":
		return fmt.Sprintf("%s:%d:%s", i.Kind, i.AccountID, i.Fingerprint)
	default:
		return ""
	}
}
