package download

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"holdfast/file"
)

// readJSON reads a request's body of at most limit bytes, which is one JSON object and nothing else, into v. An empty
// body changes nothing if optional is set. example is shown to clients that send something else.
func readJSON(w http.ResponseWriter, r *http.Request, limit int64, v any, optional bool, example string) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if optional && errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return file.Refuse(file.ErrInvalid, "want JSON like %s", example)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return file.Refuse(file.ErrInvalid, "want one JSON object, and nothing behind it")
	}
	return nil
}
