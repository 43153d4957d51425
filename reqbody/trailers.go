package reqbody

import (
	"net/http"

	"holdfast/digest"
	"holdfast/file"
)

// SeeTrailers shows handlers the trailers that a request of HTTP/1.1 did not announce. net/http adds trailers to the
// request's map; without an announcement there is none, and copies of the request would never see them. With HTTP/2
// net/http drops such trailers.
//
// It must come before any handler that copies the request.
func SeeTrailers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 && r.ContentLength < 0 && r.Trailer == nil {
			r.Trailer = http.Header{}
		}
		next.ServeHTTP(w, r)
	})
}

// trailers are those of a request, and the names that it announced.
type trailers struct {
	all       http.Header // its values are there when the body has ended
	announced map[string]bool
}

func newTrailers(r *http.Request) trailers {
	t := trailers{r.Trailer, map[string]bool{}}
	for name := range r.Trailer {
		t.announced[name] = true
	}
	return t
}

// check refuses a digest that was not announced. It would have to be computed from the first byte on, so it was not:
// a body that is taken anyway would look like one that was compared.
func (t trailers) check() error {
	for name := range t.all {
		if !t.announced[name] && digest.IsClaim(name) {
			return file.Refuse(file.ErrInvalid, "The trailer %s was not announced, so it was not compared: "+
				"name it in the header field Trailer", name)
		}
	}
	return nil
}
