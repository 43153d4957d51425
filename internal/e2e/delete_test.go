package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every caller may delete exactly the files and uploads that the table in docs/ACCESS.md allows.
func TestWhoMayDelete(t *testing.T) {
	t.Parallel()
	d := startDjango(t)
	s := start(t, d.all()...)
	user := s.as("user", d.user("pn-user", 11, 1))
	form := s.as("form", d.public("abcdefgh", 1))
	service := func(account string) string {
		return "Authorization: Bearer " + s.run("token", "create", "--service", "--account", account)
	}
	// The caller that tries to delete, and the caller that has uploaded.
	callers := map[string][2]caller{
		"the same user, by any token": {s.as("local", "Authorization: Bearer "+s.run("token", "create", "--user", "11",
			"--account", "1")), user},
		"the same user as a guest":          {s.as("guest", d.guest(11, 1)), user},
		"another user of the account":       {s.as("colleague", d.user("pn-colleague", 12, 1)), user},
		"a service of the account":          {s.as("service", service("1")), user},
		"a service of another account":      {s.as("service elsewhere", service("2")), user},
		"the form's token that uploaded it": {form, form},
		"another form's token":              {s.as("another form", d.public("ABCDEFGH", 1)), form},
		"anybody by a cookie":               {s.as("cookie", "Cookie: token=pn-user"), user},
		"anonymous, also with a link":       {s.as("anonymous", ""), user},
	}
	for who, want := range tableOf(t, "ACCESS.md", "| who | `DELETE {base}/tus/{id}`, unfinished |") {
		c, there := callers[who]
		if !there {
			t.Errorf("nobody tries as %q", who)
			continue
		}
		delete(callers, who)
		half, file, upload := c[1].begin("half of it", false), c[1].brings("a file"), c[1].begin("a file", true)
		link := ""
		if who == "anonymous, also with a link" {
			var made struct{ URL string }
			if a := c[1].do("POST", "/files/"+file+"/links", "{}"); json.Unmarshal(a.body, &made) != nil {
				t.Fatalf("a link: %v", a)
			}
			link = made.URL[strings.Index(made.URL, "?"):]
		}
		for i, path := range []string{half, upload, "/files/" + file + link} {
			if a := c[0].do("DELETE", path, nil); fmt.Sprint(a.status) != want[i] {
				t.Errorf("%s: DELETE %s: %v, want %s", who, path, a, want[i])
			}
		}
		// A deleted file is gone at both of its addresses; any other is still there.
		gone := map[string]int{"204": 404}
		for path, i := range map[string]int{"/files/tus/" + file: 2,
			"/files/" + upload[strings.LastIndex(upload, "/")+1:]: 1} {
			status := gone[want[i]]
			if status == 0 {
				status = 200
			}
			if a := c[1].do("HEAD", path, nil); a.status != status {
				t.Errorf("%s: then HEAD %s: %v, want %d", who, path, a, status)
			}
		}
	}
	for who := range callers {
		t.Errorf("docs/ACCESS.md does not say of %q", who)
	}
}

// tableOf reads a table of a document: the cells of each row by its first cell.
func tableOf(t *testing.T, document, begin string) map[string][]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", document))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(b), begin)
	rest, _, _ = strings.Cut(rest, "\n\n")
	rows := map[string][]string{}
	for line := range strings.Lines(rest) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) == 4 && strings.HasPrefix(line, "| ") {
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			rows[cells[0]] = cells[1:]
		}
	}
	if !found || len(rows) == 0 {
		t.Fatalf("docs/%s has no table %q", document, begin)
	}
	return rows
}
