package download

import (
	"encoding/json"
	"net/http"

	"holdfast/problem"
)

// piece is how many entries of a list are read and written at a time. A client that takes a long list slowly holds the
// memory of so many entries, and nothing in the database.
const piece = 50

// writeList answers with a JSON object that has an array called name of all entries that more returns, until it returns
// none. If cursor is not nil, the member "next" is what it then returns. If the first call of more fails, its error is
// the answer. After a later failure the connection is cut, so that no client takes a part of the list for the whole.
func writeList[T any](w http.ResponseWriter, r *http.Request, respond problem.Responder, name string,
	more func() ([]T, error), cursor func() *string) {
	text, err := inJSON(more)
	if err != nil {
		respond.Write(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	out := []byte(`{"` + name + `":[`)
	for separator := ""; text != nil; separator = "," {
		out = append(append(out, separator...), text...)
		if _, err := w.Write(out); err != nil {
			return // the client has gone, or is too slow
		}
		out = out[:0]
		if text, err = inJSON(more); err != nil {
			respond.LogError(r, respond.Of(r, err).Status, err)
			panic(http.ErrAbortHandler)
		}
	}
	out = append(out, ']')
	if cursor != nil {
		next, _ := json.Marshal(cursor()) // a text, or null: can't fail
		out = append(append(out, `,"next":`...), next...)
	}
	w.Write(append(out, "}\n"...))
}

// inJSON returns the next entries in JSON, without the brackets of an array; nil: there are none.
func inJSON[T any](more func() ([]T, error)) ([]byte, error) {
	entries, err := more()
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	array, err := json.Marshal(entries)
	if err != nil {
		return nil, err
	}
	return array[1 : len(array)-1], nil
}
