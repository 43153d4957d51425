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

// place is where a token may stand in a request.
type place struct {
	name   string // of the header or the cookie
	scheme scheme
	before []string // one of these words stands before the token (RFC 9110, 11.4)
	bare   bool     // the token may also stand alone
}

// headers and cookies are the places of tokens, in the order in which they count. There is no other list of them.
// The backend is asked with a token in the header of its scheme, behind the first of its words.
var (
	headers = []place{
		{name: "Authorization", scheme: userScheme, before: []string{"Bearer", "Token"}},
		{name: "X-Guest-Authorization", scheme: guestScheme, bare: true},
		{name: "X-Public-Authorization", scheme: publicScheme, before: []string{"Token"}},
	}
	cookies = []place{
		{name: "file_service_auth", scheme: userScheme, bare: true},
		{name: "token", scheme: userScheme, bare: true},
		{name: "guest-token", scheme: guestScheme, bare: true},
		{name: "public-token", scheme: publicScheme, before: []string{"Token"}, bare: true}, // clients write both
	}
)

// Headers returns the names of the request headers that tokens stand in.
func Headers() (names []string) {
	for _, h := range headers {
		names = append(names, h.name)
	}
	return names
}

// Varies is the value of Vary for an answer that depends on who asks (RFC 9110, 12.5.5).
func Varies() string { return strings.Join(append(Headers(), "Cookie"), ", ") }

// HasHeader reports whether a request has one of the headers that tokens stand in.
func HasHeader(r *http.Request) bool {
	return slices.ContainsFunc(headers, func(h place) bool { return r.Header.Get(h.name) != "" })
}

// presented is a token as it came with a request.
type presented struct {
	scheme scheme
	token  string
}

// credential is the header by which the backend is asked on this token's behalf: exactly
// one, also for a token that came as a cookie.
func (p presented) credential() file.Credential {
	i := slices.IndexFunc(headers, func(h place) bool { return h.scheme == p.scheme })
	if len(headers[i].before) == 0 {
		return file.NewCredential(headers[i].name, p.token)
	}
	return file.NewCredential(headers[i].name, headers[i].before[0]+" "+p.token)
}

// read returns the tokens of a request, in the order in which they count, and of more than
// maxPresented one too many. Those in cookies are read if withCookies is true. It is the only
// place that decides what a request presents: what is empty, or no token by its form, is not
// there.
func read(r *http.Request, withCookies bool) (all []presented) {
	add := func(at place, value string) {
		p := presented{at.scheme, strings.TrimSpace(at.token(value))}
		// The same one in header and cookie need not be looked up twice.
		if len(all) <= maxPresented && p.token != "" && len(p.token) <= maxToken && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	for _, at := range headers {
		for _, value := range r.Header.Values(at.name) {
			add(at, value)
		}
	}
	if !withCookies {
		return all
	}
	for _, at := range cookies {
		for _, cookie := range r.CookiesNamed(at.name) {
			add(at, cookie.Value)
		}
	}
	return all
}

// token returns the token in a header or cookie of this place; empty if there is none.
func (p place) token(value string) string {
	if token := schemed(value, p.before...); token != "" || !p.bare {
		return token
	}
	return value
}

// schemed returns the token behind one of the schemes, in any case (RFC 9110, 11.1).
func schemed(header string, schemes ...string) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(header), " ")
	if slices.ContainsFunc(schemes, func(s string) bool { return strings.EqualFold(s, scheme) }) {
		return token
	}
	return ""
}
