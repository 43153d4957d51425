package problem

import (
	"net/http"
	"net/url"
	"strings"
)

// browserRedirect returns the redirect for a browser that opened this URL as a page: to the sign-in page, if signing
// in may help, or to the front end's error page. It is empty for requests of scripts and programs: they get the error.
func (re Responder) browserRedirect(r *http.Request, p Problem) string {
	if re.Frontend == "" || r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return ""
	}
	if p.Status != http.StatusUnauthorized {
		return re.Frontend + "/error/"
	}
	// RequestURI, since routes strip prefixes from r.URL. A front end shows its files under
	// /files, whatever the path of our base URL is.
	path := r.RequestURI
	if u, err := url.ParseRequestURI(path); err == nil {
		path = u.RequestURI() // without the host, which clients of proxies send
	}
	if cut, ok := strings.CutPrefix(path, re.Prefix); ok && strings.HasPrefix(cut, "/") {
		path = cut
	}
	return re.Frontend + "/auth/signin/?redirectUrl=" + url.QueryEscape(re.Frontend+"/files"+path)
}

// redirect sends a browser to this URL with a temporary redirect.
func redirect(w http.ResponseWriter, to string) {
	h := w.Header()
	for _, name := range []string{"Content-Type", "Retry-After", "Www-Authenticate", "Content-Range", "Etag", "Allow"} {
		h.Del(name)
	}
	h.Add("Vary", "Accept")
	h.Set("Location", to)
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusFound)
}
