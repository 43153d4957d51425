package auth

import (
	"net/http"
	"slices"
	"strings"

	"holdfast/file"
)

// scheme is the kind of a token. It follows from the header or cookie that the token was in.
type scheme string

const (
	userScheme   scheme = "user"
	guestScheme  scheme = "guest"
	publicScheme scheme = "public"
)

// maxToken is the longest token that is accepted, in bytes. The longest are signed tokens
// with groups.
const maxToken = 8 << 10

// maxPresented is how many tokens a request may carry: one for each place, and one more. A
// browser may send two cookies of the same name, set by two applications of one
// domain.
const maxPresented = 8

// tokenPlace is a header or cookie that may hold a token.
type tokenPlace struct {
	name   string // of the header or the cookie
	scheme scheme
	before []string // the authentication schemes, one of which precedes the token (RFC 9110, 11.4)
	bare   bool     // the token may also come without a scheme
}

// headers and cookies are the places of tokens, in the order in which they count. This is the only list of them.
// A token is sent to the backend in the header of its scheme, after the first word of before.
var (
	headers = []tokenPlace{
		{name: "Authorization", scheme: userScheme, before: []string{"Bearer", "Token"}},
		{name: "X-Guest-Authorization", scheme: guestScheme, bare: true},
		{name: "X-Public-Authorization", scheme: publicScheme, before: []string{"Token"}},
	}
	cookies = []tokenPlace{
		{name: "file_service_auth", scheme: userScheme, bare: true},
		{name: "token", scheme: userScheme, bare: true},
		{name: "guest-token", scheme: guestScheme, bare: true},
		{name: "public-token", scheme: publicScheme, before: []string{"Token"}, bare: true}, // clients send both forms
	}
)

// Headers returns the names of the request headers that may hold tokens.
func Headers() (names []string) {
	for _, h := range headers {
		names = append(names, h.name)
	}
	return names
}

// Varies is the value of Vary for a response that depends on the caller (RFC 9110, 12.5.5).
func Varies() string { return strings.Join(append(Headers(), "Cookie"), ", ") }

// HasHeader reports whether a request has one of the headers that may hold tokens.
func HasHeader(r *http.Request) bool {
	return slices.ContainsFunc(headers, func(h tokenPlace) bool { return r.Header.Get(h.name) != "" })
}

// presentedToken is a token of a request, and its scheme.
type presentedToken struct {
	scheme scheme
	token  string
}

// credential is the header that carries this token to the backend: exactly one, also for a
// token from a cookie.
func (p presentedToken) credential() file.Credential {
	i := slices.IndexFunc(headers, func(h tokenPlace) bool { return h.scheme == p.scheme })
	if len(headers[i].before) == 0 {
		return file.NewCredential(headers[i].name, p.token)
	}
	return file.NewCredential(headers[i].name, headers[i].before[0]+" "+p.token)
}

// readTokens returns the tokens of a request, in the order in which they count. If there are more than maxPresented, it
// returns maxPresented+1. Cookies are read if withCookies is true. It is the only place that decides which tokens a
// request presents: empty values and values that don't have the form of a token are ignored.
func readTokens(r *http.Request, withCookies bool) (all []presentedToken) {
	add := func(at tokenPlace, value string) {
		p := presentedToken{at.scheme, strings.TrimSpace(at.token(value))}
		// A token that is both in a header and in a cookie is looked up once.
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

// token returns the token in the value of this header or cookie; empty if there is none.
func (p tokenPlace) token(value string) string {
	if token := schemed(value, p.before...); token != "" || !p.bare {
		return token
	}
	return value
}

// schemed returns the token after one of the schemes, whose case is ignored (RFC 9110, 11.1).
func schemed(header string, schemes ...string) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(header), " ")
	if slices.ContainsFunc(schemes, func(s string) bool { return strings.EqualFold(s, scheme) }) {
		return token
	}
	return ""
}
