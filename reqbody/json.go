package reqbody

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"holdfast/auth"
	"holdfast/file"
)

// ReadJSON reads a request's body into v, and asks for its caller again if that took long. The body must be one JSON
// object of at most limit bytes, and nothing else. If optional is set, an empty body leaves v as it is. example is
// shown to clients that send something else.
func ReadJSON(w http.ResponseWriter, r *http.Request, limit int64, v any, optional bool, example string) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err := auth.Again(r.Context(), auth.Moment); err != nil {
		return err
	}
	if err == nil && optional && len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err != nil || d.Decode(v) != nil {
		return file.Refuse(file.ErrInvalid, "want JSON like %s", example)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return file.Refuse(file.ErrInvalid, "want one JSON object, and nothing behind it")
	}
	return checkNames(json.NewDecoder(bytes.NewReader(body)))
}

// letters are those of all names in our requests.
const letters = "abcdefghijklmnopqrstuvwxyz0123456789_"

// checkNames refuses what encoding/json reads in its own way and a proxy may read in another: a name that an object has
// twice (RFC 8259, 4), and one that differs in its letters. The value has been decoded: it is no deeper than its type.
func checkNames(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return file.Refuse(file.ErrInvalid, "want JSON")
	}
	begin, _ := token.(json.Delim)
	seen := map[string]bool{}
	for begin != 0 && d.More() {
		if begin == '{' {
			token, _ := d.Token()
			name, _ := token.(string)
			if seen[name] || strings.Trim(name, letters) != "" {
				return file.Refuse(file.ErrInvalid, "the name %q is there twice, or unknown", name)
			}
			seen[name] = true
		}
		if err := checkNames(d); err != nil {
			return err
		}
	}
	if begin != 0 {
		_, _ = d.Token() // its end
	}
	return nil
}
