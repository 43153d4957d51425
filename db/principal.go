package db

import (
	"fmt"

	"holdfast/file"
)

// samePrincipal is file.Identity.Same in SQL: the condition that a row of uploads was created by the principal
// whose three values are the parameters from $n on.
func samePrincipal(n int) string {
	return fmt.Sprintf(`account_id = $%d and user_id = $%d and (user_id <> 0 or fingerprint <> '' and fingerprint = $%d)`,
		n, n+1, n+2)
}

// principal returns the parameters of samePrincipal.
func principal(who file.Identity) []any { return []any{who.AccountID, who.UserID, who.Fingerprint} }
