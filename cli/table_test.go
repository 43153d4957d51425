//go:build unix

package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"holdfast/file"
)

// The name of a token can't control the terminal of the operator who lists the tokens.
func TestNamesPrintNoControlCharacters(t *testing.T) {
	var out bytes.Buffer
	name := "a\x1b[31mred\x1b[0m\nrow\tcell\x07\u202etxt.exe\xff"
	if err := printTokens(&out, []file.Token{{ID: "1", Name: name}, {ID: "2", Name: "größe 1"}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 3 || strings.ContainsAny(out.String(), "\x1b\t\x07\u202e") || !utf8.ValidString(out.String()) ||
		!strings.Contains(lines[2], "größe 1") {
		t.Errorf("%q", lines)
	}
}
