package doctest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// apiPaths returns the paths of openapi.yaml, with the description of each method.
func apiPaths(t *testing.T) map[string]map[string]any {
	t.Helper()
	var d struct {
		Paths map[string]map[string]any
	}
	if err := yaml.Unmarshal([]byte(read(t, "openapi/openapi.yaml")), &d); err != nil {
		t.Fatal(err)
	}
	return d.Paths
}

// Every route is described, and nothing else. The tus routes are one handler's, under three paths.
func TestRoutesAreDescribed(t *testing.T) {
	routes := map[string]bool{"/tus/": true, "/tus/{id}": true}
	for _, m := range regexp.MustCompile(`HandleFunc\(prefix\+"([^"]+)"`).FindAllStringSubmatch(read(t, "edge/routes.go"),
		-1) {
		routes[m[1]] = true
	}
	want, got := slices.Sorted(maps.Keys(routes)), slices.Sorted(maps.Keys(apiPaths(t)))
	if !slices.Equal(want, got) {
		t.Errorf("the routes are %q\ndescribed are %q", want, got)
	}
}

// The calls on the API page run as they are written, each with a file and an upload of its own.
func TestCallsOfTheAPI(t *testing.T) {
	const before = `
ID=$(printf 0123456789 | curl -fsS -F 'file=@-;filename=a.txt' "$URL/upload" -H "Authorization: Bearer $TOKEN" |
  sed 's/.*"file_id":"\([^"]*\)".*/\1/')
UPLOAD=$(printf 01234 | curl -fsS -i -X POST "$URL/tus/" -H "Authorization: Bearer $TOKEN" -H 'Tus-Resumable: 1.0.0' \
  -H 'Upload-Length: 10' \
  -H 'Content-Type: application/offset+octet-stream' --data-binary @- | tr -d '\r' | sed -n 's/^Location: //p')
test "$ID" -a "$UPLOAD"
`
	s := start(t, 0, "")
	calls := 0
	for path, methods := range apiPaths(t) {
		for method, of := range methods {
			operation, _ := of.(map[string]any)
			call, _ := operation["x-curl"].(string)
			if call == "" {
				continue
			}
			calls++
			t.Run(fmt.Sprint(operation["operationId"]), func(t *testing.T) {
				s.run(t, t.TempDir(), nil, "bash", "-euo", "pipefail", "-c", before+call)
				if method != "get" && !strings.Contains(call, "-X "+strings.ToUpper(method)) &&
					!regexp.MustCompile(`--head| -F | -d `).MatchString(call) {
					t.Errorf("the call of %s %s is another: %s", method, path, call)
				}
			})
		}
	}
	if calls < 15 {
		t.Errorf("%d calls", calls)
	}
}
