package doctest

import (
	"regexp"
	"testing"
)

// The changelog begins with the version that the documents tell readers to build and install, which is the chart's.
func TestOneVersion(t *testing.T) {
	first := regexp.MustCompile(`(?m)^## \[([^\]]+)\]`).FindStringSubmatch(read(t, "CHANGELOG.md"))
	if first == nil {
		t.Fatal("CHANGELOG.md has no version")
	}
	for path, pattern := range map[string]string{
		"deploy/helm/holdfast/Chart.yaml": `(?m)^(?:appV|v)ersion: "?([0-9.]+)`,
		"README.md":                       `(?:VERSION=|holdfast[_:-])([0-9]+\.[0-9.]*[0-9])`,
		"docs/INSTALLING.md":              `(?:VERSION=|holdfast[_:-])([0-9]+\.[0-9.]*[0-9])`,
		"CONTRIBUTING.md":                 `VERSION=([0-9.]+)`,
	} {
		all := regexp.MustCompile(pattern).FindAllStringSubmatch(read(t, path), -1)
		if len(all) == 0 {
			t.Errorf("%s names no version", path)
		}
		for _, m := range all {
			if m[1] != first[1] {
				t.Errorf("%s: %s, and not %s as in CHANGELOG.md", path, m[0], first[1])
			}
		}
	}
}
