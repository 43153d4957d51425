package edge

import (
	"net/http"
	"strings"

	"holdfast/file"
	"holdfast/problem"
)

// refuseContentEncoding refuses bodies with a Content-Encoding: they would be stored encoded, and served as if they
// were the file itself (RFC 9110, 8.4 and 15.5.16).
func refuseContentEncoding(respond problem.Responder, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, value := range r.Header.Values("Content-Encoding") {
			for coding := range strings.SplitSeq(value, ",") {
				if c := strings.TrimSpace(coding); c != "" && !strings.EqualFold(c, "identity") {
					w.Header().Set("Accept-Encoding", "identity")
					respond.Write(w, r, file.Refuse(file.ErrMediaType,
						"Content-Encoding is not taken: send the bytes of the file as they are"))
					return
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// refuseRepeated refuses a request that changes something and has a field twice of which there is one (RFC 9110, 5.3):
// a proxy may have looked at the other one.
func refuseRepeated(respond problem.Responder, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
		for _, name := range []string{"Content-Type", "Content-Disposition", "Origin"} {
			if !reads && len(r.Header.Values(name)) > 1 {
				respond.Write(w, r, file.Refuse(file.ErrInvalid, "%s is given more than once: send it once", name))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
