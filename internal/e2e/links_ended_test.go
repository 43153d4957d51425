package e2e

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"holdfast/internal/test/pgtest"
)

// linkIDs are the ids of all links to the file at address.
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

// linked is a file of user 1 with links that several callers have made to it.
type linked struct {
	*server
	file                string
	colleague, stranger string // headers of users of the same account and of another one
	own, theirs, others string // links of the owner, of the colleague and of the stranger
	theirID             string // of the colleague's link
}

func startLinked(t *testing.T, env []string) *linked {
	t.Helper()
	s := start(t, append(env, "PERMISSION_CACHE_TTL=0")...)
	if s.token == "" {
		s.token = s.run("token", "create", "--user", "1", "--account", "1")
	}
	token := func(user, account string) string {
		return "Authorization: Bearer " + s.run("token", "create", "--user", user, "--account", account)
	}
	l := &linked{server: s, file: s.put(t, "a.txt", "text/plain", []byte("0123456789")), colleague: token("2", "1"),
		stranger: token("9", "2")}
	l.own, _ = l.makes(t, "Authorization: Bearer "+s.token)
	l.grant(t, `{"access": "restricted", "users": [2]}`)
	l.theirs, l.theirID = l.makes(t, l.colleague)
	l.grant(t, `{"access": "public"}`)
	l.others, _ = l.makes(t, l.stranger)
	return l
}

// makes makes a link to the file.
func (l *linked) makes(t *testing.T, header string) (address, id string) {
	t.Helper()
	var made struct{ ID, URL string }
	a := l.do(t, "POST", l.file+"/links", nil, header)
	if err := json.Unmarshal(a.body, &made); a.status != 201 || err != nil {
		t.Fatal(a, err)
	}
	return made.URL, made.ID
}

func (l *linked) grant(t *testing.T, body string) {
	t.Helper()
	l.check(t, []line{{"PUT", l.file + "/grants", "", body, 200, "", ""}})
}

// opens expects a status of an anonymous GET of a link.
func opens(address string, status int) line {
	code := map[bool]string{true: "LINK_001"}[status == 403]
	return line{"GET", address, anonymous, "", status, code, ""}
}

// A link opens what its maker may read at that moment, and can be ended.
func TestLinksAreEnded(t *testing.T) {
	t.Parallel()
	for name, env := range map[string][]string{"SQLite": nil, "PostgreSQL": postgres(pgtest.Start(t))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLinked(t, env)
			l.check(t, []line{opens(l.own, 200), opens(l.theirs, 200), opens(l.others, 200)})
			l.grant(t, `{"access": "private"}`)
			l.check(t, []line{opens(l.own, 200), opens(l.theirs, 403), opens(l.others, 403),
				{"HEAD", l.theirs, anonymous, "", 403, "", ""}})
			l.grant(t, `{"access": "restricted", "users": [2]}`)
			u, _ := url.Parse(l.theirs)
			if ids := l.linkIDs(t, l.file); len(ids) != 3 || ids[1] != l.theirID || strings.Contains(l.theirs, l.theirID) ||
				u.Query().Get("link") == "" {
				t.Errorf("%q, %s", ids, l.theirs)
			}
			links := l.file + "/links"
			l.check(t, []line{
				opens(l.theirs, 200), // again
				{"HEAD", links, "", "", 200, "", ""},
				{"GET", links, l.colleague, "", 403, "FILE_002", ""},
				{"DELETE", links, l.colleague, "", 403, "FILE_002", ""},
				{"DELETE", links + "/" + l.theirID, l.stranger, "", 403, "FILE_002", ""},
				{"DELETE", links + "/" + l.theirID, anonymous, "", 401, "AUTH_001", ""},
				{"DELETE", links + "/unknown", "", "", 404, "FILE_001", ""},
				{"DELETE", links + "/" + l.theirID, l.colleague, "", 204, "", ""}, // their own
				opens(l.theirs, 403), opens(l.own, 200),
				{"DELETE", links, "", "", 204, "", ""},
				opens(l.own, 403),
				{"DELETE", "/files/unknown/links", "", "", 404, "FILE_001", ""},
			})
			if ids := l.linkIDs(t, l.file); len(ids) != 0 {
				t.Errorf("%q", ids)
			}
		})
	}
}
