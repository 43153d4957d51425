package problem

import (
	"net/http"
	"net/url"
	"strings"
)

// browserRedirect returns where a browser is sent that opened this URL as a page: to sign in, if that may help, or to
// the front end's error page. It is empty for other requests, those of scripts and programs: they get the error.
func (re Responder) browserRedirect(r *http.Request, p Problem) string {
	if re.Frontend == "" || r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return ""
	}
	if p.Status != http.StatusUnauthorized {
		return re.Frontend + "/error/"
	}
	// The address as it came: routes cut prefixes off r.URL. A front end shows its files
	// under /files, whatever the path of our base is.
	path := r.RequestURI
	if u, err := url.ParseRequestURI(path); err == nil {
		path = u.RequestURI() // without a host, which clients of proxies send along
	}
	if cut, ok := strings.CutPrefix(path, re.Prefix); ok && strings.HasPrefix(cut, "/") {
		path = cut
	}
	return re.Frontend + "/auth/signin/?redirectUrl=" + url.QueryEscape(re.Frontend+"/files"+path)
}

// redirect sends a browser there, this once.
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
