package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/test/pgtest"
)

// What a database has no room for, or what would not be reached by its URL, is a wrong line, on both databases. The
// greatest and smallest values of all columns together are imported, and the account can list its files.
func TestImportOfExtremes(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) { t.Parallel(); importsExtremes(t, newServer(t)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		importsExtremes(t, newServer(t, postgres(pgtest.Start(t))...))
	})
}

func importsExtremes(t *testing.T, s *server) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "content") }))
	t.Cleanup(web.Close)
	longest := web.URL + "/" + strings.Repeat("x", 2680-len(web.URL)-1)
	good := []string{
		`{"account": 2147483647, "user": 2147483647, "url": "` + longest + `", "created": "0001-01-01T00:00:01Z"}`,
		`{"account": 2147483647, "user": 2147483647, "url": "` + web.URL + `/a", "id": "metrics",
			"created": "9999-12-31T23:59:59Z", "size": 7}`,
		`{"account": 2147483647, "user": 2147483647, "url": "` + web.URL + `/b", "id": "` + strings.Repeat("😀", 512) + `"}`,
		`{"account": 2147483647, "user": 2147483647, "url": "` + web.URL + `/c", "id": "usage/docs"}`,
	}
	wrong := []string{
		`{"account": 2147483648, "user": 1, "url": "` + web.URL + `/d"}`,
		`{"account": 1, "user": 3000000000, "url": "` + web.URL + `/e"}`,
		`{"account": 1, "url": "` + longest + `x"}`,
		`{"account": 1, "url": "` + web.URL + `/f", "created": "0001-01-01T00:00:00+00:01"}`,
		`{"account": 1, "url": "` + web.URL + `/g", "created": "9999-12-31T23:59:59-00:01"}`,
		`{"account": 1, "url": "` + web.URL + `/h", "size": 5497558138881}`,
	}
	for _, id := range []string{"usage", "docs", "upload", "tus", "direct", "healthz", "readyz", "openapi.json", "links"} {
		wrong = append(wrong, `{"account": 1, "url": "`+web.URL+`/`+id+`", "id": "`+id+`"}`)
	}
	manifest := filepath.Join(s.folder, "manifest")
	write := func(lines ...string) {
		for i, l := range lines {
			lines[i] = strings.ReplaceAll(l, "\n", " ")
		}
		if err := os.WriteFile(manifest, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	token := s.run("token", "create", "--account", "2147483647", "--user", "2147483647")
	write(append(append([]string{}, good...), wrong...)...)
	for _, args := range [][]string{{"--manifest", manifest, "--dry-run"}, {"--manifest", manifest}} {
		out := s.importing(t, 2, "the manifest is wrong", args...)
		for i := range wrong {
			if !strings.Contains(out, fmt.Sprintf("line %d: ", len(good)+i+1)) {
				t.Errorf("%v: this is not wrong: %s", args, wrong[i])
			}
		}
		if strings.Count(out, "\nline ") != len(wrong) {
			t.Errorf("%v: others are wrong:\n%s", args, out)
		}
	}
	write(good...)
	s.importing(t, 0, "copied: 4; 28 bytes", "--manifest", manifest)
	s.launch()
	s.token = token
	if a := s.do(t, "GET", "/files/", nil); a.status != 200 || strings.Count(string(a.body), `"id":`) != len(good) {
		t.Errorf("the list: %v", a)
	}
	for _, id := range []string{"metrics", strings.Repeat("%F0%9F%98%80", 512), "usage%2Fdocs"} {
		s.holds(t, s.base+"/"+id, []byte("content"))
	}
}
