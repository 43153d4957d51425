package download

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"holdfast/file"
)

// parameters returns the parameters of a request, of which each may be given once. It refuses a query that can't be
// read and any other parameter: a client that misspells one would otherwise get an answer to another question.
func parameters(r *http.Request, known ...string) (map[string]string, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, file.Refuse(file.ErrInvalid, "the query can't be read: it must be name=value, joined by &, "+
			"with %%XX for other characters")
	}
	values := map[string]string{}
	for name, all := range query {
		switch {
		case !slices.Contains(known, name):
			return nil, file.Refuse(file.ErrInvalid, "the parameters are %s, not %.40q", strings.Join(known, " and "), name)
		case len(all) > 1:
			return nil, file.Refuse(file.ErrInvalid, "%s is given %d times", name, len(all))
		}
		values[name] = all[0]
	}
	return values, nil
}
