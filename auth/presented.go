package auth

import (
	"net/http"
	"slices"
	"strings"

	"holdfast/file"
)

// scheme says what kind of token somebody claims to have: where it stood tells.
type scheme string

const (
	userScheme   scheme = "user"
	guestScheme  scheme = "guest"
	publicScheme scheme = "public"
)

// maxToken is the longest token looked at, in bytes. The longest are signed ones that
// carry groups.
const maxToken = 8 << 10

// maxPresented is how many tokens may come with a request: one for each place where a token
// may stand, and one more. A browser may send two cookies of the same name, which two
// applications of one domain have set.
const maxPresented = 8

// presented is a token as it came with a request.
type presented struct {
	scheme scheme
	token  string
}

// credential is the header by which the backend is asked on this token's behalf: exactly
// one, also for a token that came as a cookie.
func (p presented) credential() file.Credential {
	switch p.scheme {
	case guestScheme:
		return file.NewCredential("X-Guest-Authorization", p.token)
	case publicScheme:
		return file.NewCredential("X-Public-Authorization", "Token "+p.token)
	default:
		return file.NewCredential("Authorization", "Bearer "+p.token)
	}
}

// read finds the tokens of a request, in the order in which they count, and of more than
// maxPresented one too many. Those in cookies are read if cookies is true. It is the only
// place that decides what a request presents: what is empty, or no token by its form, is not
// there.
func read(r *http.Request, cookies bool) (all []presented) {
	add := func(s scheme, token string) {
		p := presented{s, strings.TrimSpace(token)}
		// The same one in header and cookie need not be looked up twice.
		if len(all) <= maxPresented && p.token != "" && len(p.token) <= maxToken && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	for _, h := range r.Header.Values("Authorization") {
		add(userScheme, schemed(h, "Bearer", "Token"))
	}
	for _, h := range r.Header.Values("X-Guest-Authorization") {
		add(guestScheme, h)
	}
	for _, h := range r.Header.Values("X-Public-Authorization") {
		add(publicScheme, schemed(h, "Token"))
	}
	if !cookies {
		return all
	}
	for _, c := range []struct {
		name   string
		scheme scheme
	}{{"file_service_auth", userScheme}, {"token", userScheme}, {"guest-token", guestScheme}, {"public-token", publicScheme}} {
		for _, cookie := range r.CookiesNamed(c.name) {
			value := cookie.Value
			if token := schemed(value, "Token"); c.scheme == publicScheme && token != "" {
				value = token // both forms are about
			}
			add(c.scheme, value)
		}
	}
	return all
}

// schemed returns the token behind one of the schemes, in any case (RFC 9110, 11.1).
func schemed(header string, schemes ...string) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(header), " ")
	if slices.ContainsFunc(schemes, func(s string) bool { return strings.EqualFold(s, scheme) }) {
		return token
	}
	return ""
}
