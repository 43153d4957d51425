package tus

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/file"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestParseMetadata(t *testing.T) {
	for _, c := range []struct {
		header string
		want   map[string]string // nil: refused
	}{
		{"", map[string]string{}},
		{"filename " + b64("a.txt"), map[string]string{"filename": "a.txt"}},
		{"name " + b64("ä") + ",type " + b64("image/png"), map[string]string{"name": "ä", "type": "image/png"}},
		{" name  " + b64("x") + " , flag , ", map[string]string{"name": "x", "flag": ""}},
		{"name a", nil},
		{"name YQ", nil},   // without padding
		{"name YR==", nil}, // bits beyond the value
		{"name YQ== more", nil},
		{"name YQ==,name YQ==", nil},
		{"näme YQ==", nil},
		{"a\tb YQ==", nil},
		{"name " + strings.Repeat("YWFh", 1100), nil},
	} {
		got, err := parseMetadata(c.header)
		if c.want == nil {
			if !errors.Is(err, file.ErrInvalid) {
				t.Errorf("%q: %v, %v", c.header, got, err)
			}
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%q: %s %v", c.header, diff, err)
		}
	}
}

func FuzzParseMetadata(f *testing.F) {
	f.Add("filename d29ybGQ=,is_confidential")
	f.Add("a YQ==,a YQ==")
	f.Fuzz(func(t *testing.T, header string) {
		pairs, err := parseMetadata(header)
		if err != nil {
			if !errors.Is(err, file.ErrInvalid) {
				t.Errorf("%q: %v", header, err)
			}
			return
		}
		// A parsed header can be written again and is parsed alike.
		var again []string
		for k, v := range pairs {
			again = append(again, k+" "+b64(v))
		}
		joined := strings.Join(again, ",")
		if len(joined) > maxMetadata {
			return
		}
		if got, err := parseMetadata(joined); err != nil || cmp.Diff(pairs, got) != "" {
			t.Errorf("%q: %v %v", header, got, err)
		}
	})
}
