package tus

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"

	"holdfast/file"
)

func TestParseClaim(t *testing.T) {
	sum := bytes.Repeat([]byte{0xfb, 0xff}, 16) // "+" and "/" in base64
	b64 := base64.StdEncoding.EncodeToString(sum)
	other := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, c := range map[string]struct {
		meta   map[string]string
		header []string
		want   []byte
		err    error
	}{
		"nothing":                {},
		"other metadata":         {meta: map[string]string{"filename": "x"}},
		"hex":                    {meta: map[string]string{"sha256": hex.EncodeToString(sum)}, want: sum},
		"upper case":             {meta: map[string]string{"sha256": strings.ToUpper(hex.EncodeToString(sum))}, want: sum},
		"base64":                 {meta: map[string]string{"sha256": b64}, want: sum},
		"base64 without padding": {meta: map[string]string{"sha256": strings.TrimRight(b64, "=")}, want: sum},
		"base64 for URLs": {meta: map[string]string{"sha256": base64.RawURLEncoding.EncodeToString(sum)},
			want: sum},
		"empty":           {meta: map[string]string{"sha256": ""}},
		"a digit too few": {meta: map[string]string{"sha256": hex.EncodeToString(sum)[1:]}, err: file.ErrInvalid},
		"a byte too many": {meta: map[string]string{"sha256": base64.StdEncoding.EncodeToString(append(sum, 1))},
			err: file.ErrInvalid},
		"header":                  {header: []string{"sha-256=:" + b64 + ":"}, want: sum},
		"header, other first":     {header: []string{"sha-512=:AAAA:, sha-256=:" + b64 + ":"}, want: sum},
		"two headers":             {header: []string{"sha-512=:AAAA:", "sha-256=:" + b64 + ":"}, want: sum},
		"header with others only": {header: []string{"sha-512=:AAAA:"}, err: file.ErrInvalid},
		// RFC 9651, 3.2
		"header, last one counts":   {header: []string{"sha-256=:" + other + ":, sha-256=:" + b64 + ":"}, want: sum},
		"header too short":          {header: []string{"sha-256=:AAAA:"}, err: file.ErrInvalid},
		"header, a string":          {header: []string{`sha-256="` + b64 + `"`}, err: file.ErrInvalid},
		"header, a list":            {header: []string{"sha-256=(:" + b64 + ":)"}, err: file.ErrInvalid},
		"header, old Digest's form": {header: []string{"SHA-256=" + b64}, err: file.ErrInvalid},
		"both": {meta: map[string]string{"sha256": b64}, header: []string{"sha-256=:" + b64 + ":"},
			want: sum},
		"both, and they differ": {meta: map[string]string{"sha256": b64}, header: []string{"sha-256=:" + other + ":"},
			err: file.ErrInvalid},
	} {
		got, err := parseClaim(c.meta, http.Header{"Repr-Digest": c.header})
		if !errors.Is(err, c.err) || err == nil && !bytes.Equal(got, c.want) {
			t.Errorf("%s: %x %v", name, got, err)
		}
	}
}

// Every form of a digest is read as the same bytes, and nothing else is read as a digest.
func FuzzParseClaim(f *testing.F) {
	f.Add("sha-256=:AAAA:", make([]byte, 32))
	f.Add("deadbeef", []byte("0123456789abcdef0123456789ABCDEF"))
	f.Add(strings.Repeat("f", 64), []byte{1})
	f.Fuzz(func(t *testing.T, text string, sum []byte) {
		for _, try := range []func() ([]byte, error){
			func() ([]byte, error) { return parseClaim(map[string]string{"sha256": text}, nil) },
			func() ([]byte, error) { return parseClaim(nil, http.Header{"Repr-Digest": {text}}) },
		} {
			if got, err := try(); got != nil && len(got) != 32 || err != nil && !errors.Is(err, file.ErrInvalid) {
				t.Fatalf("%q: %x %v", text, got, err)
			}
		}
		if len(sum) != 32 {
			return
		}
		b64 := base64.StdEncoding.EncodeToString(sum)
		for _, form := range []string{hex.EncodeToString(sum), strings.ToUpper(hex.EncodeToString(sum)), b64,
			base64.RawURLEncoding.EncodeToString(sum)} {
			if got, err := parseClaim(map[string]string{"sha256": form},
				http.Header{"Repr-Digest": {"sha-256=:" + b64 + ":"}}); err != nil || !bytes.Equal(got, sum) {
				t.Fatalf("%q: %x %v", form, got, err)
			}
		}
	})
}
