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

// A link opens a file only while its maker may read it, and can be ended.
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

// All links of one maker, to any files, end at once, and no other maker's.
func TestLinksOfAMakerAreEnded(t *testing.T) {
	t.Parallel()
	for name, env := range map[string][]string{"SQLite": nil, "PostgreSQL": postgres(pgtest.Start(t))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Links are cached, but the process that ends a link must not open the file for it any longer.
			s := start(t, append(env, "PERMISSION_CACHE_TTL=1h")...)
			testLinksOfAMaker(t, s)
		})
	}
}

func testLinksOfAMaker(t *testing.T, s *server) {
	token := func(account string, who ...string) string {
		return "Authorization: Bearer " + s.run(append([]string{"token", "create", "--account", account}, who...)...)
	}
	anna, ben := token("1", "--user", "21"), token("1", "--user", "22")
	program, foreign := token("1", "--service"), token("2", "--service")
	var files []string
	for range 2 {
		sent, a := s.sendForm(t, "a", "", []byte("x"), anna)
		if a.status != 200 {
			t.Fatal(a)
		}
		files = append(files, "/files/"+sent.ID)
		s.check(t, []line{{"PUT", files[len(files)-1] + "/grants", anna, `{"access": "account"}`, 200, "", ""}})
	}
	opened := func(of string, status int) (lines []line) { // links to both files, of one maker
		t.Helper()
		for _, f := range files {
			var l struct{ URL string }
			a := s.do(t, "POST", f+"/links", nil, of)
			if err := json.Unmarshal(a.body, &l); a.status != 201 || err != nil {
				t.Fatal(a, err)
			}
			s.check(t, []line{{"GET", l.URL, anonymous, "", 200, "", ""}})
			lines = append(lines, line{"GET", l.URL, anonymous, "", status, map[bool]string{true: "LINK_001"}[status == 403],
				""})
		}
		return lines
	}
	annas, bens, programs := opened(anna, 403), opened(ben, 200), opened(program, 200)
	s.check(t, []line{
		{"DELETE", "/files/links", anonymous, "", 401, "AUTH_001", ""},
		{"DELETE", "/files/links?user=21", ben, "", 403, "PERM_001", ""},
		{"DELETE", "/files/links?user=x", program, "", 400, "VAL_003", "number of a user"},
		{"DELETE", "/files/links?user=0", program, "", 400, "VAL_003", "number of a user"},
		{"DELETE", "/files/links?User=21", program, "", 400, "VAL_003", "parameters"},
		{"DELETE", "/files/links?user=21&user=22", program, "", 400, "VAL_003", "2 times"},
		{"DELETE", "/files/links?user=%zz", program, "", 400, "VAL_003", "query"},
		{"DELETE", "/files/links?user=21", foreign, "", 204, "", ""}, // of the other account's user 21
		{"DELETE", "/files/links", anna, "", 204, "", ""},
	})
	s.check(t, annas)
	s.check(t, bens)
	s.check(t, programs)
	annas = opened(anna, 403)
	s.check(t, []line{{"DELETE", "/links?user=21", program, "", 204, "", ""}})
	s.check(t, annas)
	s.check(t, bens)
	if status, out := s.attempt(t, "", "links", "revoke", "--account", "1", "--services"); status != 0 ||
		!strings.Contains(out, "links revoked: 2") {
		t.Errorf("%d %s", status, out)
	}
	for _, args := range [][]string{{}, {"--account", "1"}, {"--account", "0", "--user", "1"},
		{"--account", "1", "--user", "0"}, {"--account", "1", "--user", "1", "--services"}} {
		if status, out := s.attempt(t, "", append([]string{"links", "revoke"}, args...)...); status != 2 {
			t.Errorf("%q: %d %s", args, status, out)
		}
	}
}
