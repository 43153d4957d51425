package e2e

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"holdfast/internal/test/pgtest"
)

// id is the id of the only link to the file at address that token's user has made.
func (s *server) linkIDs(t *testing.T, address string) (ids []string) {
	t.Helper()
	var all struct {
		Links []struct{ ID string }
	}
	a := s.do(t, "GET", address+"/links", nil)
	if err := json.Unmarshal(a.body, &all); a.status != 200 || err != nil {
		t.Fatal(a, err)
	}
	for _, l := range all.Links {
		ids = append(ids, l.ID)
	}
	return ids
}

// A link opens what its maker may read at that moment, and can be ended.
func TestLinksAreEnded(t *testing.T) {
	t.Parallel()
	for name, env := range map[string][]string{"SQLite": nil, "PostgreSQL": postgres(pgtest.Start(t))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, append(env, "PERMISSION_CACHE_TTL=0")...)
			if s.token == "" {
				s.token = s.run("token", "create", "--user", "1", "--account", "1")
			}
			file := s.put(t, "a.txt", "text/plain", []byte("0123456789"))
			token := func(user, account string) string {
				return "Authorization: Bearer " + s.run("token", "create", "--user", user, "--account", account)
			}
			colleague, stranger := token("2", "1"), token("9", "2")
			link := func(header string) (address, id string) {
				t.Helper()
				var l struct{ ID, URL string }
				a := s.do(t, "POST", file+"/links", nil, header)
				if err := json.Unmarshal(a.body, &l); a.status != 201 || err != nil {
					t.Fatal(a, err)
				}
				return l.URL, l.ID
			}
			grant := func(body string) { s.check(t, []line{{"PUT", file + "/grants", "", body, 200, "", ""}}) }
			mine := "Authorization: Bearer " + s.token
			own, _ := link(mine)
			grant(`{"access": "restricted", "users": [2]}`)
			theirs, theirID := link(colleague)
			grant(`{"access": "public"}`)
			foreign, _ := link(stranger)
			opens := func(address string, status int) line {
				code := map[bool]string{true: "LINK_001"}[status == 403]
				return line{"GET", address, anonymous, "", status, code, ""}
			}
			s.check(t, []line{opens(own, 200), opens(theirs, 200), opens(foreign, 200)})
			grant(`{"access": "private"}`)
			s.check(t, []line{opens(own, 200), opens(theirs, 403), opens(foreign, 403), {"HEAD", theirs, anonymous, "", 403, "",
				""}})
			grant(`{"access": "restricted", "users": [2]}`)
			u, _ := url.Parse(theirs)
			if ids := s.linkIDs(t, file); len(ids) != 3 || ids[1] != theirID || strings.Contains(theirs, theirID) ||
				u.Query().Get("link") == "" {
				t.Errorf("%q, %s", ids, theirs)
			}
			s.check(t, []line{
				opens(theirs, 200), // again
				{"HEAD", file + "/links", "", "", 200, "", ""},
				{"GET", file + "/links", colleague, "", 403, "FILE_002", ""},
				{"DELETE", file + "/links", colleague, "", 403, "FILE_002", ""},
				{"DELETE", file + "/links/" + theirID, stranger, "", 403, "FILE_002", ""},
				{"DELETE", file + "/links/" + theirID, anonymous, "", 401, "AUTH_001", ""},
				{"DELETE", file + "/links/unknown", "", "", 404, "FILE_001", ""},
				{"DELETE", file + "/links/" + theirID, colleague, "", 204, "", ""}, // one's own
				opens(theirs, 403), opens(own, 200),
				{"DELETE", file + "/links", "", "", 204, "", ""},
				opens(own, 403),
				{"DELETE", "/files/unknown/links", "", "", 404, "FILE_001", ""},
			})
			if ids := s.linkIDs(t, file); len(ids) != 0 {
				t.Errorf("%q", ids)
			}
		})
	}
}
