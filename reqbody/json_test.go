package reqbody

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"holdfast/file"
)

func TestReadJSON(t *testing.T) {
	type inner struct {
		Number int `json:"number"`
	}
	type request struct {
		Access string  `json:"access"`
		Users  []int64 `json:"users"`
		Parts  []inner `json:"parts"`
		SHA256 string  `json:"sha256"`
		MaxAge *int64  `json:"max_age"`
	}
	for body, want := range map[string]bool{
		`{}`: true, ` {"access": "public", "users": [1, 2], "parts": [{"number": 1}, {"number": 2}]} `: true,
		`{"sha256": "x", "max_age": null}`: true, `null`: true, "": false, "  ": false,
		`{"access": "private", "access": "public"}`: false, `{"Access": "public"}`: false, `{"acceſs": "public"}`: false,
		`{"parts": [{"number": 1, "number": 2}]}`: false, `{"parts": [{"Number": 1}]}`: false,
		`{"parts": [{"number": 1}, {"number": 1}]}`: true, `{"other": 1}`: false, `{"access": 1}`: false,
		`{} {}`: false, `{}x`: false, `[]`: false, `{"access": "` + strings.Repeat("x", 1000) + `"}`: false, `{`: false,
		`{"\u0061ccess": "x", "access": "y"}`: false,
	} {
		for _, optional := range []bool{false, true} {
			var v request
			r := httptest.NewRequest("PUT", "/", strings.NewReader(body))
			err := ReadJSON(httptest.NewRecorder(), r, 1000, &v, optional, "{}")
			taken := want || optional && strings.TrimSpace(body) == ""
			if (err == nil) != taken || err != nil && !errors.Is(err, file.ErrInvalid) {
				t.Errorf("%q, optional %v: %v", body, optional, err)
			}
		}
	}
}
