package file

import (
	"encoding/base64"
	"testing"
)

func TestCursor(t *testing.T) {
	for _, c := range []Cursor{
		{"2026-01-02 03:04:05.123456+00:00", NewID()},
		{"2026-01-02 03:04:05", "old/key ä.pdf"}, // SQLite's own current_timestamp
	} {
		if got, ok := ParseCursor(c.String()); !ok || got != c {
			t.Errorf("%+v became %+v %v", c, got, ok)
		}
	}
	for _, s := range []string{"", string(NewID()), "?",
		base64.RawURLEncoding.EncodeToString([]byte(`["2026-01-02 03:04:05"]`)),
		base64.RawURLEncoding.EncodeToString([]byte(`["yesterday","a"]`)),
		base64.RawURLEncoding.EncodeToString([]byte(`["2026-01-02 03:04:05","../a"]`)),
		base64.RawURLEncoding.EncodeToString([]byte(`["2026-01-02 03:04:05","a","b"]`)),
		base64.RawURLEncoding.EncodeToString([]byte(`{}`))} {
		if c, ok := ParseCursor(s); ok {
			t.Errorf("%q is taken for %+v", s, c)
		}
	}
}

// Any text is either rejected, or a cursor that is written the same again.
func FuzzParseCursor(f *testing.F) {
	f.Add(Cursor{"2026-01-02 03:04:05.123456+00:00", "a"}.String())
	f.Add("WyIiLCIiXQ")
	f.Fuzz(func(t *testing.T, s string) {
		if c, ok := ParseCursor(s); ok {
			if again, ok := ParseCursor(c.String()); !ok || again != c {
				t.Errorf("%q: %+v became %+v", s, c, again)
			}
		}
	})
}
