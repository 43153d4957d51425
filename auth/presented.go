package auth

import (
	"net/http"
	"slices"
)

// Presented says whether a request comes with something that might be a token, so that
// who fails with it can be told from who has none.
func Presented(r *http.Request) bool {
	for _, name := range []string{"Authorization", "X-Guest-Authorization", "X-Public-Authorization"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return slices.ContainsFunc(r.Cookies(), func(c *http.Cookie) bool {
		return slices.Contains([]string{"file_service_auth", "token", "guest-token", "public-token"}, c.Name)
	})
}
