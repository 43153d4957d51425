package doctest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every relative link of every document leads to an existing file, and to a heading in it. External links are not
// checked.
func TestLinks(t *testing.T) {
	seen := 0
	eachSource(t, ".md", func(path, text string) {
		for _, to := range links(text) {
			if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
				continue
			}
			seen++
			name, anchor, _ := strings.Cut(to, "#")
			target := filepath.Join("..", "..", path)
			if name != "" {
				target = filepath.Join(filepath.Dir(target), name)
			}
			content, err := os.ReadFile(target)
			if info, statErr := os.Stat(target); statErr != nil || err != nil && !info.IsDir() {
				t.Errorf("%s: %s is not there", path, to)
			} else if anchor != "" && !anchors(string(content))[anchor] {
				t.Errorf("%s: %s has no such heading", path, to)
			}
		}
	})
	if seen < 20 {
		t.Errorf("%d links", seen)
	}
}

var (
	fence    = regexp.MustCompile("(?ms)^```.*?^```$")
	codeSpan = regexp.MustCompile("`[^`\n]*`")
)

// links returns the addresses that a document links to or shows, outside of code.
func links(text string) (all []string) {
	text = fence.ReplaceAllString(text, "")
	for _, m := range regexp.MustCompile(`(?:src|srcset|href)="([^"{]+)"`).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	// A label may contain code: only code outside of labels is removed.
	for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(codeSpan.ReplaceAllString(text, "code"),
		-1) {
		all = append(all, m[1])
	}
	return all
}

// anchors returns the anchors of a document's headings, as GitHub makes them.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all[strings.ReplaceAll(name, " ", "-")] = true
	}
	return all
}

func TestLinksAreFound(t *testing.T) {
	const text = "# A `b` c: d!\n[x `y`](one.md#a) ![p](two.png) `[no](three.md)`\n```\n[no](four.md)\n# no\n```\n<img " +
		"src=\"five.svg\">\n## E-f\n"
	if got := strings.Join(links(text), " "); got != "five.svg one.md#a two.png" {
		t.Error(got)
	}
	if got := anchors(text); len(got) != 2 || !got["a-b-c-d"] || !got["e-f"] {
		t.Error(got)
	}
}
