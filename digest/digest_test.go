package digest

import (
	"bytes"
	"errors"
	"net/http"
	"testing"

	"holdfast/file"
)

func TestFormat(t *testing.T) {
	sum := bytes.Repeat([]byte{0xfb, 0xff}, Size/2)
	for _, field := range []string{"Repr-Digest", "Content-Digest"} {
		got, err := Parse(http.Header{field: {"sha-512=:AAAA:", Format(sum)}}, field)
		if err != nil || !bytes.Equal(got, sum) {
			t.Errorf("%s: %x %v", field, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, value := range []string{"sha-256=:AAAA:", `sha-256="text"`, "SHA-256=AAAA", "sha-256=(:AAAA:)", "="} {
		if _, err := Parse(http.Header{"Repr-Digest": {value}}, "Repr-Digest"); !errors.Is(err, file.ErrInvalid) {
			t.Errorf("%q: %v", value, err)
		}
	}
	if sum, err := Parse(http.Header{}, "Repr-Digest"); sum != nil || err != nil {
		t.Error(sum, err)
	}
}

func TestUnwanted(t *testing.T) {
	for value, want := range map[string]bool{"": false, "sha-256=0": true, "sha-256=1": false, "sha-512=9": false,
		"sha-512=9, sha-256=0": true, "sha-256": false, "=": false} {
		if got := Unwanted([]string{value}); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
	if Unwanted(nil) {
		t.Error("without the field")
	}
}

// Metadata declare a digest if "sha256" in them has a value, whatever that is.
func TestMetadata(t *testing.T) {
	for value, want := range map[string]bool{"": false, "filename c2hhMjU2": false, "sha256": false, "sha256 ": false,
		"xsha256 eA==,sha2567 eA==": false, "SHA256 eA==": false, "sha256 eA==": true, " a, sha256  !": true,
		"a eA==,sha256\teA==": true} {
		header := http.Header{Metadata: {"b eA==", value}}
		err := Checked{Headers: []string{"Repr-Digest"}}.Refuse(header, nil)
		if errors.Is(err, file.ErrInvalid) != want {
			t.Errorf("%q: %v", value, err)
		}
		if err := (Checked{Headers: []string{Metadata}}).Refuse(header, nil); err != nil {
			t.Errorf("%q, where it is checked: %v", value, err)
		}
	}
	if !IsClaim(Metadata) || (Checked{Headers: []string{Metadata}}).Refuse(nil, http.Header{Metadata: nil}) == nil {
		t.Error("as a trailer they are never read")
	}
}
