package reqbody

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"holdfast/file"
)

// ReadJSON reads a request's body into v. It must be one JSON object of at most limit bytes, and nothing else. If
// optional is set, an empty body leaves v as it is. example is shown to clients that send something else.
func ReadJSON(w http.ResponseWriter, r *http.Request, limit int64, v any, optional bool, example string) error {
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
