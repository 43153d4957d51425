package download

import (
	"strings"
	"testing"
)

func TestIsUTF8(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "plain": true, "Grüße ✓ 🎉": true, "Gr\xfc\xdfe": false, "a\x00b": false, "\xef\xbb\xbfwith a mark": true,
		"half \xf0\x9f": false,
	} {
		if got := isUTF8([]byte(text), false); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	// A sample may end within a character, and nowhere else may one be incomplete.
	for _, c := range []string{"é", "✓", "🎉"} {
		text := strings.Repeat("x", 10) + c
		for n := 10; n <= len(text); n++ {
			if !isUTF8([]byte(text[:n]), true) {
				t.Errorf("%q", text[:n])
			}
		}
		if isUTF8([]byte(text[:len(text)-1]+"x"), true) {
			t.Errorf("%q and x", text[:len(text)-1])
		}
	}
	if isUTF8([]byte("x\x80\x80\x80\x80"), true) {
		t.Error("a character of nothing but its rest")
	}
}
